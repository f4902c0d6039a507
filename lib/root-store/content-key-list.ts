import type { ContentKey } from "./store-layout.js";

/** Bytes of one key: digest, mode, time. */
const keyBytes = 32 + 4 + 8;

/** Room for this many keys at first; it doubles. */
const initialKeys = 1024;

/**
 * A list of content keys that takes 44 bytes for each: a layer may have
 * millions of files, and the list is only looked at if the layer fails.
 */
export class ContentKeyList implements Iterable<ContentKey> {
  #bytes = Buffer.alloc(initialKeys * keyBytes);
  #length = 0;

  push({ sha256, mode, mtimeSeconds }: ContentKey): void {
    const offset = this.#length * keyBytes;
    if (offset === this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(offset)]);
    }
    this.#bytes.write(sha256, offset, "hex");
    this.#bytes.writeUInt32LE(mode, offset + 32);
    this.#bytes.writeDoubleLE(mtimeSeconds, offset + 36);
    this.#length++;
  }

  *[Symbol.iterator](): Generator<ContentKey> {
    for (let index = 0; index < this.#length; index++) {
      const offset = index * keyBytes;
      yield {
        sha256: this.#bytes.toString("hex", offset, offset + 32),
        mode: this.#bytes.readUInt32LE(offset + 32),
        mtimeSeconds: this.#bytes.readDoubleLE(offset + 36),
      };
    }
  }
}
