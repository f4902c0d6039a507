/** Of one buffer; what is larger has one of its own. */
const bufferBytes = 2 ** 20;

/**
 * Many small pieces of bytes in a few buffers, which hold nothing else: they
 * can be transferred to another thread, where as many copies would be made.
 */
export class PackedBytes {
  readonly buffers: ArrayBuffer[] = [];
  #free = new Uint8Array(0);

  /** Copies a piece; gives it as it lies in the last buffer. */
  add(piece: Uint8Array): Uint8Array {
    if (piece.length > this.#free.length) {
      const buffer = new ArrayBuffer(Math.max(bufferBytes, piece.length));
      this.buffers.push(buffer);
      this.#free = new Uint8Array(buffer);
    }
    const packed = this.#free.subarray(0, piece.length);
    packed.set(piece);
    this.#free = this.#free.subarray(piece.length);
    return packed;
  }
}
