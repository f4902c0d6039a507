/** One blob that a store on disk holds. */
export interface IndexedBlob {
  readonly key: string;
  readonly sizeBytes: number;
  /** Bytes on disk: more than sizeBytes once an executable twin was made. */
  storedBytes: number;
  /** Uses that forbid eviction. */
  pins: number;
}

/** A blob between the one used before it and the one used after it. */
interface Node extends IndexedBlob {
  older: Node;
  newer: Node;
}

/**
 * Which blobs a store on disk holds, in the order of their use: the bound in
 * bytes and in blobs is kept by giving the oldest ones for removal.
 */
export class BlobIndex {
  readonly #blobs = new Map<string, Node>();
  /** Joins both ends of the order: its newer one is the oldest of all. */
  readonly #ends = createNode("", 0);
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
  *keys(): Generator<string> {
    for (let at = this.#ends.newer; at !== this.#ends; at = at.newer) {
      yield at.key;
    }
  }

  /** The blob, which counts as used now. */
  use(key: string): IndexedBlob | undefined {
    const node = this.#blobs.get(key);
    if (node === undefined) return undefined;
    unlink(node);
    this.#append(node);
    return node;
  }

  /** Adds a blob as the most recently used one, unless it is there. */
  add(key: string, sizeBytes: number): void {
    if (this.use(key) !== undefined) return;
    const node = createNode(key, sizeBytes);
    this.#blobs.set(key, node);
    this.#append(node);
    this.#totalBytes += node.storedBytes;
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
    const node = this.#blobs.get(key);
    if (node === undefined) return;
    this.#blobs.delete(key);
    unlink(node);
    this.#totalBytes -= node.storedBytes;
  }

  /** Takes out the oldest blobs without pins until the bound is kept. */
  evict(): readonly string[] {
    const evicted: string[] = [];
    let at = this.#ends.newer;
    while (this.#totalBytes > this.#maximumSizeBytes && at !== this.#ends) {
      const { key, pins, newer } = at;
      if (pins === 0) {
        this.remove(key);
        evicted.push(key);
      }
      at = newer;
    }
    return evicted;
  }

  #append(node: Node): void {
    node.older = this.#ends.older;
    node.newer = this.#ends;
    node.older.newer = node;
    this.#ends.older = node;
  }
}

function createNode(key: string, sizeBytes: number): Node {
  const node = { key, sizeBytes, storedBytes: occupied(sizeBytes), pins: 0 };
  // A ring of one, until it is put into another.
  const ring = Object.assign(node, { older: node, newer: node });
  return ring as Node; // the fields point at the object that has them now
}

function unlink(node: Node): void {
  node.older.newer = node.newer;
  node.newer.older = node.older;
}

/** What a file takes on disk: whole blocks of 4 KiB, and its inode. */
function occupied(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 4_096) * 4_096 + 256;
}
