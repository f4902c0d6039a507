import type { StoredContent } from "./space-allowance.js";

/**
 * What the content store holds, each inode counted once. Known exactly after
 * the first audit; what is added or collected meanwhile is counted as well.
 */
export class StoreUsage {
  #bytes = 0;
  #inodes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get inodes(): number {
    return this.#inodes;
  }

  add({ bytes, inodes }: StoredContent): void {
    this.#bytes += bytes;
    this.#inodes += inodes;
  }

  remove({ bytes, inodes }: StoredContent): void {
    this.#bytes = Math.max(0, this.#bytes - bytes);
    this.#inodes = Math.max(0, this.#inodes - inodes);
  }
}
