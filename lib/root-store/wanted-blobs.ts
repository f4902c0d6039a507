import { Digest } from "../digest/index.js";
import type { StoredFile } from "./content-plan.js";

/** Hash and size of a blob. */
const digestBytes = 32 + 8;

/**
 * The digests of files, in their order, as bytes for another thread: a tree
 * may have millions of files.
 */
export function encodeWanted(files: readonly StoredFile[]): Uint8Array {
  const bytes = Buffer.alloc(files.length * digestBytes);
  for (const [index, { sha256, sizeBytes }] of files.entries()) {
    bytes.write(sha256, index * digestBytes, "hex");
    bytes.writeDoubleLE(sizeBytes, index * digestBytes + 32);
  }
  return bytes;
}

/** What encodeWanted made, each digest made when it is asked for. */
export function* decodeWanted(wanted: Uint8Array): Generator<Digest> {
  const bytes = Buffer.from(wanted.buffer, wanted.byteOffset, wanted.length);
  for (let at = 0; at < bytes.length; at += digestBytes) {
    yield Digest.create(
      bytes.toString("hex", at, at + 32),
      bytes.readDoubleLE(at + 32),
    );
  }
}
