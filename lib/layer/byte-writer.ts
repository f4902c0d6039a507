/** Appends numbers and bytes to a buffer that grows. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(2 ** 16);
  #length = 0;

  /** What was written so far; valid until more is. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Begins anew, in the same memory. */
  clear(): void {
    this.#length = 0;
  }

  /**
   * A whole number that is not negative, in groups of 7 bits, lowest first; a
   * set high bit says that more follow (as in protobuf).
   */
  number(value: number): void {
    this.#reserve(8); // 53 bits
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** A byte string, without its length. */
  text(value: string, encoding: "latin1" | "hex" = "latin1"): void {
    this.#reserve(value.length);
    this.#length += this.#buffer.write(value, this.#length, encoding);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + bytes));
    this.bytes.copy(larger);
    this.#buffer = larger;
  }
}
