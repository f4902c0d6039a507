import type { ContentKey } from "./store-layout.js";

/** A file as it is in the content store, or is to be. */
export interface StoredFile extends ContentKey {
  readonly sizeBytes: number;
}

/** Bytes of one file: digest, size, mode, time. */
const fileBytes = 32 + 8 + 4 + 8;

/** Of digest and size, which tell contents apart. */
const contentBytes = 32 + 8;

/** Files that share a buffer: as few large ones as leave little unused. */
const filesPerPart = 4096;

/**
 * A list of files that takes 52 bytes for each, where objects would take some
 * hundred: a layer or a tree may have millions. Grows without copies, which
 * would be garbage outside of V8's heap.
 */
export class StoredFileList implements Iterable<StoredFile> {
  readonly #parts: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push({ sha256, sizeBytes, mode, mtimeSeconds }: StoredFile): void {
    const place = this.#length++;
    if (place % filesPerPart === 0) {
      this.#parts.push(Buffer.allocUnsafeSlow(filesPerPart * fileBytes));
    }
    const { part, offset } = this.#find(place);
    part.write(sha256, offset, "hex");
    part.writeDoubleLE(sizeBytes, offset + 32);
    part.writeUInt32LE(mode, offset + 40);
    part.writeDoubleLE(mtimeSeconds, offset + 44);
  }

  /** Throws a RangeError beyond the end. */
  at(index: number): StoredFile {
    const { part, offset } = this.#find(index);
    return {
      sha256: part.toString("hex", offset, offset + 32),
      sizeBytes: part.readDoubleLE(offset + 32),
      mode: part.readUInt32LE(offset + 40),
      mtimeSeconds: part.readDoubleLE(offset + 44),
    };
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

  #compareContent(placeA: number, placeB: number): number {
    const a = this.#find(placeA);
    const b = this.#find(placeB);
    // All digests but equal ones differ here, at a fifth of the cost.
    const first = a.part.readUInt32BE(a.offset) - b.part.readUInt32BE(b.offset);
    if (first !== 0) return first;
    return a.part.compare(
      b.part,
      ...[b.offset, b.offset + contentBytes],
      ...[a.offset, a.offset + contentBytes],
    );
  }

  #find(place: number): { part: Buffer; offset: number } {
    const part = this.#parts[Math.floor(place / filesPerPart)];
    if (part === undefined || place >= this.#length) {
      throw new RangeError(`There is no file ${place}`);
    }
    return { part, offset: (place % filesPerPart) * fileBytes };
  }
}
