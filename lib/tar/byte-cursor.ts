import { tarError } from "./tar-error.js";

/**
 * Hands out a stream of chunks in pieces of the reader's choice, without
 * copying what lies in one chunk. Generators on it yield undefined when they
 * need the next chunk: give it with `push`, or `finish`, before resuming.
 */
export class ByteCursor {
  /** The current chunk; its bytes from `offset` on are not consumed yet. */
  chunk: Buffer = Buffer.alloc(0);
  offset = 0;
  /** Of the first byte of the chunk in the whole stream. */
  #chunkPosition = 0;
  #isFinished = false;

  /** The next chunk. The one before must be consumed. */
  push(chunk: Uint8Array): void {
    this.#chunkPosition += this.chunk.length;
    this.chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.offset = 0;
  }

  /** No chunk follows. */
  finish(): void {
    this.push(Buffer.alloc(0));
    this.#isFinished = true;
  }

  /** Of the next byte in the whole stream. */
  get position(): number {
    return this.#chunkPosition + this.offset;
  }

  /** Bytes of the chunk that are not consumed yet. */
  get available(): number {
    return this.chunk.length - this.offset;
  }

  /** Waits until there is a byte, or none will come. Returns which it is. */
  *hasMore(): Generator<undefined, boolean> {
    while (this.available === 0) {
      if (this.#isFinished) return false;
      yield;
    }
    return true;
  }

  /**
   * The next bytes: a view on the chunk, or a copy where they straddle two.
   * Throws InvalidArgument when the stream ends first.
   */
  *take(length: number): Generator<undefined, Buffer> {
    if (this.available >= length) {
      const start = this.offset;
      this.offset += length;
      return this.chunk.subarray(start, this.offset);
    }
    const copy = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      filled += (yield* this.some(length - filled)).copy(copy, filled);
    }
    return copy;
  }

  /** At least one of the next bytes, at most `length`, as a view. */
  *some(length: number): Generator<undefined, Buffer> {
    while (this.available === 0) {
      if (this.#isFinished) throw tarError("Archive is truncated");
      yield;
    }
    const start = this.offset;
    this.offset += Math.min(length, this.available);
    return this.chunk.subarray(start, this.offset);
  }

  /** Passes over bytes. Throws InvalidArgument when the stream ends first. */
  *skip(length: number): Generator<undefined, void> {
    let rest = length;
    while (rest > 0) rest -= (yield* this.some(rest)).length;
  }

  /** Passes over bytes, or over those that there are before the stream ends. */
  *skipAtMost(length: number): Generator<undefined, void> {
    let rest = length;
    while (rest > 0 && (yield* this.hasMore())) {
      rest -= (yield* this.some(rest)).length;
    }
  }
}
