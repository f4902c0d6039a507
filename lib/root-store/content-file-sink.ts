import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import type { FileSink } from "../layer/index.js";
import { errno } from "../status/index.js";
import { diskTime } from "./disk-time.js";
import type { SpaceAllowance, StoredContent } from "./space-allowance.js";
import { contentMode, contentPath, type StoreOwner } from "./store-layout.js";
import { type StoredFile, StoredFileList } from "./stored-file-list.js";
import { writeSparsely } from "./write-sparsely.js";

/**
 * Files up to this size are held in memory until their digest is known, and
 * written only if the store lacks them; larger ones go to `tmp/` as they come.
 */
const largestBufferedBytes = 1 << 20;

/** What a sink is made for. */
export interface ContentFileSinkOptions {
  /** The store's `files/` and a folder of `tmp/` that is this sink's alone. */
  readonly files: string;
  readonly tmp: string;
  /** Owner of new files; undefined where that is the process itself. */
  readonly owner: StoreOwner | undefined;
  /** The process's umask, which open(2) takes off the mode. */
  readonly umask: number;
  /** Asked before anything is written. */
  readonly allowance: SpaceAllowance;
}

/**
 * Puts the files of a layer into the content store, each under the name of its
 * digest; those that it lacks are written once. Synchronous: made for
 * a worker thread, where it is a third faster than promises. Errors are those
 * of Node and of the allowance. After an error, `abandon` must be called.
 */
export class ContentFileSink implements FileSink {
  readonly stored: StoredContent = { bytes: 0, inodes: 0 };
  /** The files that the store did not have. */
  readonly storedKeys = new StoredFileList();
  readonly #options: ContentFileSinkOptions;
  readonly #buffer = Buffer.allocUnsafeSlow(largestBufferedBytes);
  readonly #tmpPath: string;
  /** Of the open file. */
  #path: string;
  #file: { sizeBytes: number; mode: number; mtimeSeconds: number } | undefined;
  #length = 0;
  #endsWithHole = false;
  #descriptor: number | undefined;

  constructor(options: ContentFileSinkOptions) {
    this.#options = options;
    this.#tmpPath = join(options.tmp, "file");
    this.#path = this.#tmpPath;
  }

  begin(file: { sizeBytes: number; mode: number; mtimeSeconds: number }): void {
    this.#file = file;
    this.#length = 0;
    this.#endsWithHole = false;
    if (file.sizeBytes > largestBufferedBytes) {
      this.#create(this.#tmpPath, file.mode);
    }
  }

  write(chunk: Uint8Array): void {
    if (this.#descriptor !== undefined) {
      this.#options.allowance.take({ bytes: chunk.byteLength, inodes: 0 });
      this.#write(this.#descriptor, chunk, this.#length);
    } else {
      this.#buffer.set(chunk, this.#length); // RangeError beyond sizeBytes
    }
    this.#length += chunk.byteLength;
  }

  end(sha256: string): void {
    const file = this.#file;
    if (file === undefined) throw new RangeError("No file was begun");
    this.#file = undefined;
    const key: StoredFile = { ...file, sha256 };
    const path = `${this.#options.files}/${contentPath(key)}`;
    if (this.#descriptor === undefined) {
      // At its place at once: for small files a rename costs as much again as
      // their making. Nobody links to it before the layer is complete, and one
      // that is not whole is told by its size and its time, which comes last.
      if (!this.#create(path, file.mode)) {
        if (isPresent(path, file)) return;
        this.#create(this.#tmpPath, file.mode);
      }
      this.#options.allowance.take({ bytes: this.#length, inodes: 0 });
      this.#write(this.#open(), this.#buffer.subarray(0, this.#length), 0);
    } else if (isPresent(path, file)) {
      this.abandon();
      this.#options.allowance.giveBack({ bytes: this.#length, inodes: 1 });
      return;
    }
    if (this.#endsWithHole) ftruncateSync(this.#open(), this.#length);
    const time = diskTime(file.mtimeSeconds);
    futimesSync(this.#open(), time, time);
    closeSync(this.#open());
    this.#descriptor = undefined;
    if (this.#path !== path) renameSync(this.#path, path);
    this.stored.bytes += this.#length;
    this.stored.inodes++;
    this.storedKeys.push(key);
  }

  /** Drops the file that is being written, if there is one. */
  abandon(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    unlinkSync(this.#path);
  }

  #write(descriptor: number, bytes: Uint8Array, position: number): void {
    if (bytes.byteLength === 0) return;
    this.#endsWithHole = writeSparsely(descriptor, bytes, position);
  }

  #open(): number {
    if (this.#descriptor === undefined) throw new RangeError("No file is open");
    return this.#descriptor;
  }

  /** Makes and opens a file; false if there is one already. */
  #create(path: string, mode: number): boolean {
    const { owner, umask, allowance } = this.#options;
    const bits = contentMode(mode);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    let descriptor: number;
    try {
      descriptor = openSync(path, flags, bits);
    } catch (error) {
      if (errno(error) === "EEXIST") return false;
      throw error;
    }
    this.#descriptor = descriptor;
    this.#path = path;
    allowance.take({ bytes: 0, inodes: 1 });
    if (owner !== undefined) fchownSync(descriptor, owner.uid, owner.gid);
    if ((bits & umask) !== 0) fchmodSync(descriptor, bits);
    return true;
  }
}

/**
 * Whether the store has the whole file. One of another size or time is being
 * written, or was when its writer died, or has lost its bytes on a failing
 * disk: it is written again, and the new one takes the name over.
 */
export function isPresent(
  path: string,
  file: { sizeBytes: number; mtimeSeconds: number },
): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return (
    stats?.size === file.sizeBytes &&
    Math.floor(stats.mtimeMs / 1000) === file.mtimeSeconds
  );
}
