import { Digest } from "../digest/index.js";

const hashBytes = 32;
const recordBytes = hashBytes + 8;

/**
 * Digests in 40 bytes each, in the order they came: what an image's tree
 * refers to may be hundreds of thousands of blobs, and has to be at hand for as
 * long as the image is used.
 */
export class DigestList implements Iterable<Digest> {
  #bytes: Buffer;
  #length: number;

  /** Takes over what `bytes` of another list gave. */
  constructor(bytes: Uint8Array = new Uint8Array()) {
    const { buffer, byteOffset, byteLength } = bytes;
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength);
    this.#length = byteLength / recordBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** The list as bytes of its own size. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length * recordBytes);
  }

  add({ hash, sizeBytes }: Digest): void {
    const at = this.#length * recordBytes;
    if (at === this.#bytes.length) this.#grow();
    this.#bytes.write(hash, at, "hex");
    // Sizes are safe integers, far below 2^63.
    this.#bytes.writeBigUInt64LE(BigInt(sizeBytes), at + hashBytes);
    this.#length++;
  }

  *[Symbol.iterator](): Iterator<Digest> {
    for (let index = 0; index < this.#length; index++) {
      const at = index * recordBytes;
      yield Digest.create(
        this.#bytes.toString("hex", at, at + hashBytes),
        Number(this.#bytes.readBigUInt64LE(at + hashBytes)),
      );
    }
  }

  #grow(): void {
    const larger = Buffer.alloc(
      Math.max(1_024 * recordBytes, 2 * this.#bytes.length),
    );
    this.#bytes.copy(larger);
    this.#bytes = larger;
  }
}
