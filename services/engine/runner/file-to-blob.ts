import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import { copyFile, open, rm } from "node:fs/promises";
import type { FileContentAddressableStorage } from "../../../lib/cas/index.js";
import { Digest } from "../../../lib/digest/index.js";

const pieceBytes = 2 ** 20;

/** How a file becomes a blob. */
export interface FileToBlobOptions {
  /**
   * Nobody else has it open or linked: it is moved. Else it is copied, as an
   * inode that any other name or process still reaches must never become a
   * blob.
   */
  readonly mayMove: boolean;
  /** By its size: how many of its bytes are kept, and what follows them. */
  readonly finish?: (sizeBytes: number) => { keep: number; tail: Uint8Array };
  readonly signal: AbortSignal;
}

/** Stores a file of any size in pieces; where it may be moved, it is gone. */
export async function fileToBlob(
  cas: FileContentAddressableStorage,
  path: string,
  options: FileToBlobOptions,
): Promise<Digest> {
  const temporary = cas.temporaryPath();
  try {
    if (options.mayMove) await take(path, temporary);
    else await copyFile(path, temporary, constants.COPYFILE_FICLONE);
    chmodSync(temporary, 0o600);
    if (options.finish !== undefined) finishFile(temporary, options.finish);
    const digest = await hashFile(temporary, options.signal);
    cas.adopt(digest, temporary);
    return digest;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Moves a file; copies it where that cannot be, from another disk. */
async function take(from: string, to: string): Promise<void> {
  try {
    renameSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // node:fs throws these
    if (code !== "EXDEV") throw error;
    await copyFile(from, to);
  }
}

function finishFile(
  path: string,
  finish: NonNullable<FileToBlobOptions["finish"]>,
): void {
  const fd = openSync(path, "r+");
  try {
    const { size } = fstatSync(fd);
    const { keep, tail } = finish(size);
    if (keep < size) ftruncateSync(fd, keep);
    const end = Math.min(keep, size);
    for (let at = 0; at < tail.byteLength; ) {
      at += writeSync(fd, tail, at, tail.byteLength - at, end + at);
    }
  } finally {
    closeSync(fd);
  }
}

async function hashFile(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafe(pieceBytes);
  let size = 0;
  await using file = await open(path, "r");
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, pieceBytes, size);
    if (bytesRead === 0) break;
    signal.throwIfAborted();
    hash.update(piece.subarray(0, bytesRead));
    size += bytesRead;
  }
  return Digest.create(hash.digest("hex"), size);
}
