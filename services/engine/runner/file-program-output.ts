import {
  closeSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
} from "node:fs";
import type { FileContentAddressableStorage } from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import type { LogSource } from "../logs/live-log.js";
import { copyToBlob } from "./copy-to-blob.js";

/** Between looks at how much was written, in milliseconds. */
const checkIntervalMs = 100;

/** Up to this size it goes through memory, which is faster. */
const smallBytes = 256 * 1024;

/**
 * A file that takes a program's standard output or error. The program writes
 * to it without going through us; what goes beyond the limit is cut away
 * while it runs, so that the disk does not fill.
 */
export class FileProgramOutput implements Disposable, LogSource {
  /** The file, which the program appends to. */
  readonly path: string;
  readonly #descriptor: number;
  readonly #maximumBytes: number;
  readonly #timer: NodeJS.Timeout;
  #wasCut = false;

  constructor(path: string, maximumBytes: number) {
    this.path = path;
    this.#maximumBytes = maximumBytes;
    this.#descriptor = openSync(path, "ax+");
    // Programs open /dev/stdout again, as the user that they run as. Others
    // cannot come here: the directory's name is not known to them.
    fchmodSync(this.#descriptor, 0o666);
    this.#timer = setInterval(() => this.#cut(), checkIntervalMs);
    this.#timer.unref();
  }

  /** Never beyond the limit, even where it has not been cut yet. */
  get size(): number {
    return Math.min(fstatSync(this.#descriptor).size, this.#maximumBytes);
  }

  // At once, not in Node's thread pool: what was just written is in memory.
  read(offset: number, length: number): Buffer {
    const wanted = Math.min(length, this.size - offset);
    if (wanted <= 0) return Buffer.alloc(0);
    const data = Buffer.allocUnsafe(wanted);
    return data.subarray(
      0,
      readSync(this.#descriptor, data, 0, wanted, offset),
    );
  }

  /**
   * Stores what was written, with a mark where it was cut, and `text` after
   * it; to be called once.
   */
  async store(
    cas: FileContentAddressableStorage,
    { text = "", signal }: { text?: string; signal: AbortSignal },
  ): Promise<Digest> {
    this.#cut();
    const sizeBytes = this.size;
    const tail = Buffer.from((this.#wasCut ? this.#mark() : "") + text);
    if (sizeBytes > smallBytes) {
      return copyToBlob(cas, this.#descriptor, { sizeBytes, tail, signal });
    }
    return cas.write(Buffer.concat([this.#readWhole(sizeBytes), tail]));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    closeSync(this.#descriptor);
    rmSync(this.path, { force: true });
  }

  #readWhole(length: number): Buffer {
    const pieces: Buffer[] = [];
    for (let at = 0; at < length; ) {
      const piece = this.read(at, length - at);
      if (piece.byteLength === 0) break;
      pieces.push(piece);
      at += piece.byteLength;
    }
    return Buffer.concat(pieces);
  }

  #cut(): void {
    if (fstatSync(this.#descriptor).size <= this.#maximumBytes) return;
    this.#wasCut = true;
    ftruncateSync(this.#descriptor, this.#maximumBytes);
  }

  #mark(): string {
    return `\n[cut here: the limit is ${this.#maximumBytes} bytes]\n`;
  }
}
