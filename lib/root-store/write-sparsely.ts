import { writeSync } from "node:fs";

/** Shorter runs of zeros are written: extents cost more than they do. */
const pieceBytes = 2 ** 16;

const zeros = Buffer.alloc(pieceBytes);

/**
 * Writes bytes at a position of a new file, except for long runs of zeros,
 * which stay holes and take no space. Whether the last bytes are such a run:
 * if nothing follows, the file's size has to be set (ftruncate). Errors are
 * those of Node.
 */
export function writeSparsely(
  descriptor: number,
  bytes: Uint8Array,
  position: number,
): boolean {
  let start = 0; // of what is to be written
  for (let end = pieceBytes; end <= bytes.length; end += pieceBytes) {
    const piece = end - pieceBytes;
    // Almost all that is no hole is told by its first byte.
    if (bytes[piece] !== 0) continue;
    if (zeros.compare(bytes, piece, end) !== 0) continue;
    writeFully(descriptor, bytes.subarray(start, piece), position + start);
    start = end;
  }
  writeFully(descriptor, bytes.subarray(start), position + start);
  return bytes.length > 0 && start === bytes.length;
}

/** Writes all of the bytes at a position. Errors are those of Node. */
function writeFully(descriptor: number, bytes: Uint8Array, position: number) {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(
      descriptor,
      bytes,
      done,
      bytes.length - done,
      position + done,
    );
  }
}
