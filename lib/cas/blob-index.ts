/** One blob that a store on disk holds. */
export interface IndexedBlob {
  readonly sizeBytes: number;
  /** Bytes on disk: more than sizeBytes once an executable twin was made. */
  storedBytes: number;
  /** Uses that forbid eviction. */
  pins: number;
}

/**
 * Which blobs a store on disk holds, in the order of their use: the bound in
 * bytes and in blobs is kept by giving the oldest ones for removal.
 */
export class BlobIndex {
  readonly #blobs = new Map<string, IndexedBlob>();
  readonly #maximumSizeBytes: number;
  #totalBytes = 0;

  constructor(maximumSizeBytes: number) {
    this.#maximumSizeBytes = maximumSizeBytes;
  }

  /** Bytes held, and blobs. */
  get totals(): { readonly bytes: number; readonly blobs: number } {
    return { bytes: this.#totalBytes, blobs: this.#blobs.size };
  }

  /** Keys from the least to the most recently used. */
  keys(): IterableIterator<string> {
    return this.#blobs.keys();
  }

  /** The blob, which counts as used now. */
  use(key: string): IndexedBlob | undefined {
    const blob = this.#blobs.get(key);
    if (blob === undefined) return undefined;
    this.#blobs.delete(key); // a Map keeps the order of insertion
    this.#blobs.set(key, blob);
    return blob;
  }

  /** Adds a blob as the most recently used one, unless it is there. */
  add(key: string, sizeBytes: number): void {
    if (this.use(key) !== undefined) return;
    const storedBytes = occupied(sizeBytes);
    this.#blobs.set(key, { sizeBytes, storedBytes, pins: 0 });
    this.#totalBytes += storedBytes;
  }

  /** Counts the twin that a blob got. */
  grow(key: string): void {
    const blob = this.#blobs.get(key);
    if (blob === undefined) return;
    const twinBytes = occupied(blob.sizeBytes);
    blob.storedBytes += twinBytes;
    this.#totalBytes += twinBytes;
  }

  remove(key: string): void {
    const blob = this.#blobs.get(key);
    if (blob === undefined) return;
    this.#blobs.delete(key);
    this.#totalBytes -= blob.storedBytes;
  }

  /** Takes out the oldest blobs without pins until the bound is kept. */
  evict(): readonly string[] {
    const evicted: string[] = [];
    if (this.#totalBytes <= this.#maximumSizeBytes) return evicted;
    for (const [key, { pins }] of this.#blobs) {
      if (pins > 0) continue;
      this.remove(key);
      evicted.push(key);
      if (this.#totalBytes <= this.#maximumSizeBytes) break;
    }
    return evicted;
  }
}

/** What a file takes on disk: whole blocks of 4 KiB, and its inode. */
function occupied(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 4_096) * 4_096 + 256;
}
