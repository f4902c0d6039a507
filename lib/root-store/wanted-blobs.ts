import { Digest } from "../digest/index.js";
import type { StoredFileList } from "./stored-file-list.js";

/** Hash and size of a blob. */
const digestBytes = 32 + 8;

/**
 * The digests of the files at these places, in their order, as bytes for
 * another thread: a tree may have millions of files.
 */
export function encodeWanted(
  files: StoredFileList,
  places: Uint32Array,
): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.alloc(places.length * digestBytes);
  let at = 0;
  for (const place of places) {
    const { sha256, sizeBytes } = files.at(place);
    bytes.write(sha256, at, "hex");
    bytes.writeDoubleLE(sizeBytes, at + 32);
    at += digestBytes;
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
