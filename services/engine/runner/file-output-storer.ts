import { closeSync, fstatSync, readSync } from "node:fs";
import type { FileContentAddressableStorage } from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { copyToBlob } from "./copy-to-blob.js";
import type { HeldDirectory } from "./held-directory.js";

/** Files up to this size go through memory, which is faster. */
const smallBytes = 256 * 1024;

/** How an action's output files are stored. */
export interface FileOutputStorerOptions {
  /** Of all files together; more is InvalidArgument: no other attempt would have less. */
  readonly maximumBytes: number;
  readonly signal: AbortSignal;
}

/** An output file in CAS. */
export interface StoredFile {
  readonly digest: Digest;
  readonly isExecutable: boolean;
}

/**
 * Stores an action's output files: always as copies, since somebody else may
 * still be writing to the files themselves. What is stored is what was read.
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

  /** Stores a regular file; throws InvalidArgument if it is none any more. */
  async store(directory: HeldDirectory, name: string): Promise<StoredFile> {
    const descriptor = directory.openFile(name);
    try {
      const { size, mode } = fstatSync(descriptor);
      // Before a byte is read: a file of holes takes no disk, and for hashing
      // it is as large as it says.
      this.#count(size);
      const { signal } = this.#options;
      const digest =
        size <= smallBytes
          ? await this.#cas.write(readSmall(descriptor, size))
          : await copyToBlob(this.#cas, descriptor, {
              sizeBytes: size,
              signal,
            });
      return { digest, isExecutable: (mode & 0o111) !== 0 };
    } finally {
      closeSync(descriptor);
    }
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const { maximumBytes } = this.#options;
    if (this.#bytes <= maximumBytes) return;
    throw new StatusError(
      Code.InvalidArgument,
      `Outputs must hold at most ${maximumBytes} bytes`,
    );
  }
}

function readSmall(descriptor: number, size: number): Buffer {
  const data = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const read = readSync(descriptor, data, length, size - length, length);
    if (read === 0) break;
    length += read;
  }
  return data.subarray(0, length);
}
