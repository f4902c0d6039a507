import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  type Stats,
} from "node:fs";
import type { FileContentAddressableStorage } from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import { fileToBlob } from "./file-to-blob.js";

/** Files up to this size go through memory: safe whoever has them open. */
const smallBytes = 256 * 1024;

/** How an action's output files are stored. */
export interface FileOutputStorerOptions {
  /** Everything that the action ran is dead for certain. */
  readonly mayMove: boolean;
  /** Of all files together; more is ResourceExhausted. */
  readonly maximumBytes: number;
  readonly signal: AbortSignal;
}

/**
 * Stores an action's output files. A large one is moved into the store if
 * nobody else can have it open or linked, else copied: an inode that any
 * other name or process still reaches never becomes a blob.
 */
export class FileOutputStorer {
  readonly #cas: FileContentAddressableStorage;
  readonly #options: FileOutputStorerOptions;
  #bytes = 0;

  constructor(
    cas: FileContentAddressableStorage,
    options: FileOutputStorerOptions,
  ) {
    this.#cas = cas;
    this.#options = options;
  }

  /** Stores the regular file at a path whose parents are no symlinks. */
  async store(path: string, stats: Stats): Promise<Digest> {
    // Before a byte is read: a file of holes takes no disk, and for hashing
    // it is as large as it says.
    this.#count(stats.size);
    if (stats.size <= smallBytes) {
      return this.#cas.write(readSmall(path));
    }
    const { mayMove, signal } = this.#options;
    return fileToBlob(this.#cas, path, {
      mayMove: mayMove && stats.nlink === 1,
      signal,
    });
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const { maximumBytes } = this.#options;
    if (this.#bytes <= maximumBytes) return;
    throw new StatusError(
      Code.ResourceExhausted,
      `Outputs must hold at most ${maximumBytes} bytes`,
    );
  }
}

function readSmall(path: string): Buffer {
  const fd = openOutput(path);
  try {
    // As large as it is now, not as it was: it is hashed as it is read.
    const { size } = fstatSync(fd);
    if (size > 2 * smallBytes) {
      throw new StatusError(
        Code.FailedPrecondition,
        `Output "${path}" grew after the action had ended`,
      );
    }
    const data = Buffer.allocUnsafe(size);
    let length = 0;
    while (length < size) {
      const read = readSync(fd, data, length, size - length, length);
      if (read === 0) break;
      length += read;
    }
    return data.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

function openOutput(path: string): number {
  const flags =
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return openSync(path, flags);
  } catch (error) {
    if (toStatusError(error).code !== Code.PermissionDenied) throw error;
    chmodSync(path, 0o600); // ours, but the action took our rights away
    return openSync(path, flags);
  }
}
