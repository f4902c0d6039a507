import { constants, readFileSync } from "node:fs";
import { open as openFile, readFile, rm } from "node:fs/promises";
import { LRUCache } from "lru-cache";
import { Digest } from "../digest/index.js";
import { Code, StatusError, toStatusError, wrap } from "../status/index.js";
import { BlobIndex } from "./blob-index.js";
import {
  type CasContext,
  type ContentAddressableStorage,
  maximumReadSizeBytes,
} from "./content-addressable-storage.js";
import { type BlobOwner, FileBlobDirectory } from "./file-blob-directory.js";
import {
  blobNotFound,
  checkReadSize,
  verifyBytes,
  verifyStream,
} from "./verify.js";

/**
 * Blobs up to this size are read and written at once, without giving way to
 * other work: a page cache hit takes less time than a round trip through
 * Node's thread pool.
 */
const synchronousSizeBytes = 256 * 1024;

/** Blobs up to this size are kept in memory: Commands, Directories. */
const rememberedSizeBytes = 32 * 1024;

const pieceSizeBytes = 256 * 1024;
const empty = Buffer.alloc(0);

/** How a store on disk is made. */
export interface FileCasOptions {
  /** Its directory; made if absent; used by one process at a time. */
  directory: string;
  /** Bound of the files; the least recently used blobs go first. */
  maximumSizeBytes: number;
  /** Bound of the small blobs kept in memory as well; default 64 MiB. */
  memorySizeBytes?: number;
  /** Owner of the files, when whoever runs this may give files away. */
  owner?: BlobOwner;
}

/**
 * A store on disk that outlives its process, killed at any time: what was
 * stored is whole, and found again. All instance names share the blobs. Bytes
 * are verified when they come in; on the way out only their number is.
 */
export class FileContentAddressableStorage
  implements ContentAddressableStorage
{
  readonly #maximumSizeBytes: number;
  readonly #files: FileBlobDirectory;
  readonly #index: BlobIndex;
  readonly #memory: LRUCache<string, Buffer>;

  constructor(options: FileCasOptions) {
    this.#maximumSizeBytes = options.maximumSizeBytes;
    this.#files = new FileBlobDirectory(options.directory, options.owner);
    this.#index = new BlobIndex(options.maximumSizeBytes);
    this.#memory = new LRUCache({
      maxSize: options.memorySizeBytes ?? 64 * 2 ** 20,
      sizeCalculation: (data) => data.byteLength + 200,
    });
    const { keys, twins } = this.#files.load();
    for (const key of keys) this.#index.add(key, sizeOf(key));
    for (const key of twins) this.#index.grow(key);
    this.#evict();
  }

  /** Bytes and blobs held. */
  get totals(): { readonly bytes: number; readonly blobs: number } {
    return this.#index.totals;
  }

  /** Writes down the order of use; the store must not be used afterwards. */
  close(): void {
    this.#files.markClean(this.#index.keys());
  }

  async findMissing(digests: readonly Digest[]): Promise<readonly Digest[]> {
    const missing = new Map<string, Digest>();
    for (const digest of digests) {
      if (!this.has(digest)) missing.set(digest.key, digest);
    }
    return [...missing.values()];
  }

  /** Whether the blob is held; it then counts as used now. */
  has(digest: Digest): boolean {
    return digest.sizeBytes === 0 || this.#index.use(digest.key) !== undefined;
  }

  async read(digest: Digest): Promise<Buffer> {
    checkReadSize(digest, maximumReadSizeBytes);
    const { key, sizeBytes } = digest;
    if (sizeBytes === 0) return empty;
    this.#need(digest);
    const remembered = this.#memory.get(key);
    if (remembered !== undefined) return remembered;
    try {
      const path = this.#files.path(key);
      const data =
        sizeBytes <= synchronousSizeBytes
          ? readFileSync(path)
          : await readFile(path);
      if (data.byteLength !== sizeBytes) throw blobNotFound(digest);
      this.#remember(key, data);
      return data;
    } catch (error) {
      throw this.#lost(digest, error);
    }
  }

  open(digest: Digest): AsyncGenerator<Uint8Array> {
    return this.openFrom(digest, 0);
  }

  /** Like open(), from an offset within the blob, or its end, on. */
  async *openFrom(digest: Digest, offset: number): AsyncGenerator<Uint8Array> {
    const { key, sizeBytes } = digest;
    if (sizeBytes <= synchronousSizeBytes) {
      if (sizeBytes > 0) yield (await this.read(digest)).subarray(offset);
      return;
    }
    this.#need(digest);
    // An open file stays readable when the blob is evicted meanwhile.
    const file = await openFile(this.#files.path(key)).catch((error) => {
      throw this.#lost(digest, error);
    });
    try {
      for (let at = offset; at < sizeBytes; ) {
        const piece = Buffer.allocUnsafe(pieceSizeBytes);
        const { bytesRead } = await file.read(piece, 0, pieceSizeBytes, at);
        if (bytesRead === 0) throw this.#lost(digest, blobNotFound(digest));
        at += bytesRead;
        yield piece.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  async write(
    data: Uint8Array,
    _context?: CasContext,
    known?: Digest,
  ): Promise<Digest> {
    const digest = known ?? Digest.of(data);
    if (this.has(digest)) return digest;
    try {
      this.#files.write(digest.key, data);
    } catch (error) {
      throw wrap(error, `Failed to store blob "${digest}"`);
    }
    this.#remember(digest.key, Buffer.from(data));
    this.#add(digest);
    return digest;
  }

  async writeStream(
    digest: Digest,
    openSource: () => AsyncIterable<Uint8Array>,
    context: CasContext,
  ): Promise<void> {
    if (this.has(digest)) {
      if (digest.sizeBytes === 0) verifyBytes(digest, empty);
      return;
    }
    if (digest.sizeBytes > this.#maximumSizeBytes) {
      // It would push out all others, and then itself.
      throw new StatusError(
        Code.ResourceExhausted,
        `Blob "${digest}" must have ${this.#maximumSizeBytes} bytes at most`,
      );
    }
    const path = this.#files.temporaryPath();
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
      const file = await openFile(path, flags, 0o600);
      try {
        for await (const piece of verifyStream(digest, openSource())) {
          context.signal?.throwIfAborted();
          for (let at = 0; at < piece.byteLength; ) {
            at += (await file.write(piece, at)).bytesWritten;
          }
        }
      } finally {
        await file.close();
      }
      this.#files.adopt(digest.key, path);
    } catch (error) {
      await rm(path, { force: true });
      throw wrap(error, `Failed to store blob "${digest}"`);
    }
    this.#add(digest);
  }

  /**
   * Takes a file as a blob by moving it: the caller has hashed it, and knows
   * that nobody has it open or linked elsewhere. On the same disk only.
   */
  adopt(digest: Digest, path: string): void {
    if (this.has(digest)) return;
    this.#files.adopt(digest.key, path);
    this.#add(digest);
  }

  /** A path on the store's disk for a file that is to be adopted. */
  temporaryPath(): string {
    return this.#files.temporaryPath();
  }

  /**
   * Puts a blob at a path that does not exist, read-only: as a hard link, so
   * whoever runs an action must not be able to change the owner's files, or
   * as a copy. Throws NotFound.
   */
  place(
    digest: Digest,
    to: string,
    options: { executable: boolean; how: "link" | "copy" },
  ): void {
    if (digest.sizeBytes === 0 && !this.#index.use(digest.key)) {
      this.#files.write(digest.key, empty);
      this.#add(digest);
    }
    this.#need(digest);
    try {
      const from = options.executable
        ? this.#twin(digest.key)
        : this.#files.path(digest.key);
      if (options.how === "link") this.#files.link(from, to);
      else this.#files.copy(from, to);
    } catch (error) {
      const reason = this.#lost(digest, error);
      throw wrap(reason, `Failed to place blob "${digest}"`);
    }
  }

  /** Keeps a blob from eviction until unpin; throws NotFound. */
  pin(digest: Digest): void {
    if (digest.sizeBytes > 0) this.#need(digest).pins++;
  }

  /** Takes one pin back. */
  unpin(digest: Digest): void {
    const blob = this.#index.use(digest.key);
    if (blob !== undefined && blob.pins > 0) blob.pins--;
  }

  #twin(key: string): string {
    const { path, made } = this.#files.makeTwin(key);
    if (made) this.#index.grow(key);
    return path;
  }

  #need(digest: Digest) {
    const blob = this.#index.use(digest.key);
    if (blob === undefined) throw blobNotFound(digest);
    return blob;
  }

  #add(digest: Digest): void {
    this.#index.add(digest.key, digest.sizeBytes);
    this.#evict();
  }

  #evict(): void {
    for (const key of this.#index.evict()) {
      this.#memory.delete(key);
      this.#files.remove(key);
    }
  }

  #remember(key: string, data: Buffer): void {
    if (data.byteLength <= rememberedSizeBytes) this.#memory.set(key, data);
  }

  /** A file that went, or is short, is a blob that we do not have. */
  #lost(digest: Digest, error: unknown): unknown {
    const status = toStatusError(error);
    if (status.code !== blobNotFound(digest).code) return status;
    this.#index.remove(digest.key);
    this.#memory.delete(digest.key);
    this.#files.remove(digest.key);
    return blobNotFound(digest);
  }
}

function sizeOf(key: string): number {
  return Number(key.slice(key.indexOf("-") + 1));
}
