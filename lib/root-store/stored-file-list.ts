import type { ContentKey } from "./store-layout.js";

/** A file as it is in the content store, or is to be. */
export interface StoredFile extends ContentKey {
  readonly sizeBytes: number;
}

/** Bytes of one file: digest, size, mode, time. */
const fileBytes = 32 + 8 + 4 + 8;

/** Of digest and size, which tell contents apart. */
const contentBytes = 32 + 8;

/** Unless one says how many there will be, room for so many; it doubles. */
const initialFiles = 1024;

/**
 * A list of files that takes 52 bytes for each, where objects would take some
 * hundred: a layer or a tree may have millions.
 */
export class StoredFileList implements Iterable<StoredFile> {
  #bytes: Buffer;
  #length = 0;

  /** With the room that is needed at most no copies are made. */
  constructor(room = initialFiles) {
    // Zeros, which cost no memory before they are written.
    this.#bytes = Buffer.alloc(Math.max(1, room) * fileBytes);
  }

  get length(): number {
    return this.#length;
  }

  push({ sha256, sizeBytes, mode, mtimeSeconds }: StoredFile): void {
    const offset = this.#length * fileBytes;
    if (offset === this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(offset)]);
    }
    this.#bytes.write(sha256, offset, "hex");
    this.#bytes.writeDoubleLE(sizeBytes, offset + 32);
    this.#bytes.writeUInt32LE(mode, offset + 40);
    this.#bytes.writeDoubleLE(mtimeSeconds, offset + 44);
    this.#length++;
  }

  /** Throws a RangeError beyond the end. */
  at(index: number): StoredFile {
    const offset = index * fileBytes;
    if (index >= this.#length)
      throw new RangeError(`There is no file ${index}`);
    return {
      sha256: this.#bytes.toString("hex", offset, offset + 32),
      sizeBytes: this.#bytes.readDoubleLE(offset + 32),
      mode: this.#bytes.readUInt32LE(offset + 40),
      mtimeSeconds: this.#bytes.readDoubleLE(offset + 44),
    };
  }

  *entries(): Generator<[number, StoredFile]> {
    for (let index = 0; index < this.#length; index++) {
      yield [index, this.at(index)];
    }
  }

  *[Symbol.iterator](): Generator<StoredFile> {
    for (let index = 0; index < this.#length; index++) yield this.at(index);
  }

  /**
   * The places of all files, by the digests of their contents, so that those
   * of equal contents come together.
   */
  byContent(): Uint32Array {
    const places = new Uint32Array(this.#length);
    for (let index = 0; index < places.length; index++) places[index] = index;
    return places.sort((a, b) => this.#compareContent(a, b));
  }

  /** Whether the files at two places have the same contents. */
  hasSameContent(a: number, b: number): boolean {
    return this.#compareContent(a, b) === 0;
  }

  #compareContent(a: number, b: number): number {
    const atA = a * fileBytes;
    const atB = b * fileBytes;
    // All digests but equal ones differ here, at a fifth of the cost.
    const first = this.#bytes.readUInt32BE(atA) - this.#bytes.readUInt32BE(atB);
    if (first !== 0) return first;
    return this.#bytes.compare(
      this.#bytes,
      ...[atB, atB + contentBytes],
      ...[atA, atA + contentBytes],
    );
  }
}
