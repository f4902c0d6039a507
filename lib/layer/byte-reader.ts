import { Code, StatusError } from "../status/index.js";

/** Reads what ByteWriter wrote. Throws DataLoss at the end of the bytes. */
export class ByteReader {
  readonly #bytes: Buffer;
  #offset: number;

  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  /** Of what is read next. */
  get offset(): number {
    return this.#offset;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 0x80) {
      const byte = this.#bytes[this.#offset++];
      if (byte === undefined) break;
      value += (byte % 0x80) * factor;
      if (byte < 0x80) return value;
    }
    throw new StatusError(Code.DataLoss, "Number is malformed");
  }

  text(length: number, encoding: "latin1" | "hex" = "latin1"): string {
    const end = this.#offset + length;
    if (end > this.#bytes.length) {
      throw new StatusError(Code.DataLoss, "Text is truncated");
    }
    const text = this.#bytes.toString(encoding, this.#offset, end);
    this.#offset = end;
    return text;
  }
}
