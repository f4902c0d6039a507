/** Longer lines are broken, so that no line needs more memory. */
export const maximumLineBytes: number = 64 * 1024;

const newline = 0x0a;

/**
 * Cuts bytes into lines: at each newline, which belongs to the line before
 * it, and after maximumLineBytes. The same bytes give the same lines, however
 * they come in pieces.
 */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** Bytes that came and are in no line yet. */
  get pendingBytes(): number {
    return this.#rest.length;
  }

  /** The lines that are complete with these bytes. */
  *push(data: Uint8Array): Generator<Buffer> {
    let bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (this.#rest.length > 0) bytes = Buffer.concat([this.#rest, bytes]);
    let start = 0;
    while (start < bytes.length) {
      const at = bytes.indexOf(newline, start);
      const end = at < 0 ? bytes.length + 1 : at + 1;
      if (end - start > maximumLineBytes) {
        if (bytes.length - start < maximumLineBytes) break;
        yield bytes.subarray(start, start + maximumLineBytes);
        start += maximumLineBytes;
      } else if (at < 0) {
        break;
      } else {
        yield bytes.subarray(start, end);
        start = end;
      }
    }
    this.#rest = Buffer.from(bytes.subarray(start)); // not the whole piece
  }

  /** The last line, if it has no newline. */
  *end(): Generator<Buffer> {
    if (this.#rest.length > 0) yield this.#rest;
    this.#rest = Buffer.alloc(0);
  }
}

/** A line as text, without its newline; U+FFFD for what is not UTF-8. */
export function textOfLine(line: Buffer): string {
  const end = line.at(-1) === newline ? line.length - 1 : line.length;
  return line.toString("utf8", 0, end);
}
