import { LRUCache } from "lru-cache";
import { Digest } from "../digest/index.js";
import { collect } from "./collect.js";
import {
  type CasContext,
  type ContentAddressableStorage,
  maximumReadSizeBytes,
} from "./content-addressable-storage.js";
import {
  blobNotFound,
  checkReadSize,
  verifyBytes,
  verifyStream,
} from "./verify.js";

/** What an index entry costs beside its bytes; keeps empty blobs bounded. */
const entryOverheadBytes = 200;

/** Size of the pieces that open() gives. */
const pieceSizeBytes = 256 * 1024;

/**
 * A store in memory: the least recently used blobs go when the bound is
 * reached. All instance names share the blobs.
 */
export class InMemoryContentAddressableStorage
  implements ContentAddressableStorage
{
  readonly #blobs: LRUCache<string, Buffer>;

  constructor(options: { maximumSizeBytes: number }) {
    this.#blobs = new LRUCache({
      maxSize: options.maximumSizeBytes,
      sizeCalculation: (data) => data.byteLength + entryOverheadBytes,
    });
  }

  async findMissing(digests: readonly Digest[]): Promise<readonly Digest[]> {
    const missing = new Map<string, Digest>();
    for (const digest of digests) {
      if (this.#get(digest) === undefined) missing.set(digest.key, digest);
    }
    return [...missing.values()];
  }

  async read(digest: Digest): Promise<Buffer> {
    checkReadSize(digest, maximumReadSizeBytes);
    return this.#need(digest);
  }

  async *open(digest: Digest): AsyncGenerator<Uint8Array> {
    const data = this.#need(digest);
    for (let at = 0; at < data.byteLength; at += pieceSizeBytes) {
      yield data.subarray(at, at + pieceSizeBytes);
    }
  }

  async write(
    data: Uint8Array,
    _context?: CasContext,
    known?: Digest,
  ): Promise<Digest> {
    const digest = known ?? Digest.of(data);
    if (this.#get(digest) === undefined) {
      this.#blobs.set(digest.key, Buffer.from(data)); // the caller keeps its own
    }
    return digest;
  }

  async writeStream(
    digest: Digest,
    openSource: () => AsyncIterable<Uint8Array>,
    context: CasContext,
  ): Promise<void> {
    if (this.#get(digest) !== undefined) return;
    const data = await collect(verifyStream(digest, openSource()));
    context.signal?.throwIfAborted();
    this.#blobs.set(digest.key, Buffer.from(data));
  }

  /** Forgets a blob, as a store under pressure does. */
  delete(digest: Digest): void {
    this.#blobs.delete(digest.key);
  }

  #get(digest: Digest): Buffer | undefined {
    if (digest.sizeBytes === 0) {
      verifyBytes(digest, empty);
      return empty;
    }
    return this.#blobs.get(digest.key);
  }

  #need(digest: Digest): Buffer {
    const data = this.#get(digest);
    if (data === undefined) throw blobNotFound(digest);
    return data;
  }
}

const empty = Buffer.alloc(0);
