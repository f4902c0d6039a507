import {
  closeSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
} from "node:fs";

/** Between looks at how much was written, in milliseconds. */
const checkIntervalMs = 100;

/**
 * A file that takes a program's standard output or error. The program writes
 * to it without going through us; what goes beyond the limit is cut away
 * while it runs, so that the disk does not fill.
 */
export class FileProgramOutput implements Disposable {
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

  /** What was written, with a mark where it was cut. */
  read(): Buffer {
    this.#cut();
    const { size } = fstatSync(this.#descriptor);
    if (size === 0) return Buffer.alloc(0);
    const data = Buffer.allocUnsafe(size);
    let length = 0;
    while (length < size) {
      const read = readSync(
        this.#descriptor,
        data,
        length,
        size - length,
        length,
      );
      if (read === 0) break;
      length += read;
    }
    const written = data.subarray(0, length);
    return this.#wasCut ? Buffer.concat([written, this.#mark()]) : written;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    closeSync(this.#descriptor);
    unlinkSync(this.path);
  }

  #cut(): void {
    if (fstatSync(this.#descriptor).size <= this.#maximumBytes) return;
    this.#wasCut = true;
    ftruncateSync(this.#descriptor, this.#maximumBytes);
  }

  #mark(): Buffer {
    return Buffer.from(
      `\n[cut here: the limit is ${this.#maximumBytes} bytes]\n`,
    );
  }
}
