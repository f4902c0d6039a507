import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
} from "node:fs";
import { errno } from "../status/index.js";
import { writeSparsely } from "./write-sparsely.js";

const chunkBytes = 2 ** 20;

/**
 * Copies a file with its mode: shares its blocks where the file system can,
 * else keeps its holes. There must be nothing at `to`. Errors are those of
 * Node.
 */
export function copySparsely(from: string, to: string): void {
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE);
  } catch (error) {
    if (errno(error) === "ENOENT") throw error;
    copyByChunks(from, to);
  }
}

function copyByChunks(from: string, to: string): void {
  const source = openSync(from, "r");
  try {
    const { mode, size } = fstatSync(source);
    const target = openSync(to, "wx", 0o600);
    try {
      fchmodSync(target, mode); // whatever the umask is
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, size));
      for (let at = 0; at < size; ) {
        const read = readSync(source, buffer, 0, buffer.length, at);
        if (read === 0) break;
        writeSparsely(target, buffer.subarray(0, read), at);
        at += read;
      }
      ftruncateSync(target, size);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}
