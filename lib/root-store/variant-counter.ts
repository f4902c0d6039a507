import { type ContentKey, contentPath } from "./store-layout.js";

/**
 * Numbers the inodes that one root needs of each content file. Made for
 * hundreds of thousands of files of which few are equal: one that is alone
 * costs no text of its own.
 */
export class VariantCounter {
  /** By SHA-256: the first file that had it. */
  readonly #first = new Map<string, ContentKey>();
  /** By content path, for those that came more than once. */
  readonly #next = new Map<string, number>();

  /** The next variant of the content: 0, 1, 2 … */
  next(key: ContentKey): number {
    const first = this.#first.get(key.sha256);
    if (first === undefined) {
      this.#first.set(key.sha256, key);
      return 0;
    }
    const path = contentPath(key);
    const variant =
      this.#next.get(path) ?? (contentPath(first) === path ? 1 : 0);
    this.#next.set(path, variant + 1);
    return variant;
  }
}
