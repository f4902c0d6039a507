import { createHash } from "node:crypto";
import { read as readCallback } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { promisify } from "node:util";
import type { FileContentAddressableStorage } from "../../../lib/cas/index.js";
import { Digest } from "../../../lib/digest/index.js";

const pieceBytes = 2 ** 20;
const zeros = Buffer.alloc(pieceBytes);
const read = promisify(readCallback);

/**
 * Stores an open file as a blob, in pieces: at most its first `sizeBytes`,
 * and `tail` after them. Never by moving it: an action may have handed its
 * descriptors to another one, and whoever has an inode open can write to it,
 * or have it opened again, for as long as it likes. Zeros become holes.
 */
export async function copyToBlob(
  cas: FileContentAddressableStorage,
  descriptor: number,
  options: { sizeBytes: number; tail?: Uint8Array; signal: AbortSignal },
): Promise<Digest> {
  const { sizeBytes, tail = Buffer.alloc(0), signal } = options;
  const temporary = cas.temporaryPath();
  const hash = createHash("sha256");
  try {
    await using file = await open(temporary, "wx", 0o600);
    const piece = Buffer.allocUnsafe(pieceBytes);
    let size = 0;
    while (size < sizeBytes) {
      const wanted = Math.min(pieceBytes, sizeBytes - size);
      const { bytesRead } = await read(descriptor, piece, 0, wanted, size);
      if (bytesRead === 0) break;
      signal.throwIfAborted();
      const data = piece.subarray(0, bytesRead);
      const isHole = data.equals(zeros.subarray(0, bytesRead));
      const written = isHole ? undefined : writeAll(file, data, size);
      hash.update(data); // while it is being written
      await written;
      size += bytesRead;
    }
    await file.truncate(size); // where it ends with a hole
    hash.update(tail);
    await writeAll(file, tail, size);
    const digest = Digest.create(hash.digest("hex"), size + tail.byteLength);
    cas.adopt(digest, temporary);
    return digest;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function writeAll(file: FileHandle, data: Uint8Array, to: number) {
  for (let at = 0; at < data.byteLength; ) {
    const left = data.byteLength - at;
    at += (await file.write(data, at, left, to + at)).bytesWritten;
  }
}
