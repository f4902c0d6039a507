import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { FileSink } from "../layer/index.js";
import { ContentKeyList } from "./content-key-list.js";
import {
  type ContentKey,
  contentMode,
  contentPath,
  type StoreOwner,
} from "./store-layout.js";

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
}

/** What a sink has added to the store. */
export interface StoredContent {
  bytes: number;
  inodes: number;
}

/**
 * Puts the files of a layer into the content store: every file whole, by
 * rename, under the name of its digest, or not at all. Synchronous: made for
 * a worker thread, where it is a third faster than promises. Errors are those
 * of Node. After an error, `abandon` must be called.
 */
export class ContentFileSink implements FileSink {
  readonly stored: StoredContent = { bytes: 0, inodes: 0 };
  /** The files that the store did not have. */
  readonly storedKeys = new ContentKeyList();
  readonly #options: ContentFileSinkOptions;
  readonly #buffer = Buffer.allocUnsafeSlow(largestBufferedBytes);
  readonly #tmpPath: string;
  #file: { sizeBytes: number; mode: number; mtimeSeconds: number } | undefined;
  #length = 0;
  #descriptor: number | undefined;

  constructor(options: ContentFileSinkOptions) {
    this.#options = options;
    this.#tmpPath = join(options.tmp, "file");
  }

  begin(file: { sizeBytes: number; mode: number; mtimeSeconds: number }): void {
    this.#file = file;
    this.#length = 0;
    if (file.sizeBytes > largestBufferedBytes) this.#create(file.mode);
  }

  write(chunk: Uint8Array): void {
    if (this.#descriptor !== undefined) {
      writeFully(this.#descriptor, chunk, chunk.byteLength);
    } else {
      this.#buffer.set(chunk, this.#length); // RangeError beyond sizeBytes
    }
    this.#length += chunk.byteLength;
  }

  end(sha256: string): void {
    const file = this.#file;
    if (file === undefined) throw new RangeError("No file was begun");
    this.#file = undefined;
    const key: ContentKey = { ...file, sha256 };
    const path = `${this.#options.files}/${contentPath(key)}`;
    if (isPresent(path, this.#length)) {
      this.abandon();
      return;
    }
    if (this.#descriptor === undefined) {
      this.#create(file.mode);
      writeFully(this.#open(), this.#buffer, this.#length);
    }
    const descriptor = this.#open();
    futimesSync(descriptor, file.mtimeSeconds, file.mtimeSeconds);
    closeSync(descriptor);
    this.#descriptor = undefined;
    renameSync(this.#tmpPath, path);
    this.stored.bytes += this.#length;
    this.stored.inodes++;
    this.storedKeys.push(key);
  }

  /** Drops the file that is being written, if there is one. */
  abandon(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    unlinkSync(this.#tmpPath);
  }

  #open(): number {
    if (this.#descriptor === undefined) throw new RangeError("No file is open");
    return this.#descriptor;
  }

  #create(mode: number): void {
    const { owner, umask } = this.#options;
    const bits = contentMode(mode);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const descriptor = openSync(this.#tmpPath, flags, bits);
    this.#descriptor = descriptor;
    if (owner !== undefined) fchownSync(descriptor, owner.uid, owner.gid);
    if ((bits & umask) !== 0) fchmodSync(descriptor, bits);
  }
}

/**
 * Whether the store has the file. One of another size is what a failing disk
 * left: it is written again, and takes the name over.
 */
function isPresent(path: string, sizeBytes: number): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.size === sizeBytes;
}

function writeFully(descriptor: number, bytes: Uint8Array, length: number) {
  for (let offset = 0; offset < length; ) {
    offset += writeSync(descriptor, bytes, offset, length - offset);
  }
}
