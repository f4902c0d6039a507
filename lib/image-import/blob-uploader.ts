import { setMaxListeners } from "node:events";
import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import type { StoredBlobs } from "./import-worker-job.js";

/** Digests of one question for what is missing. */
const batchBlobs = 1_000;

/** Bytes of one batch: a full BatchUpdateBlobs, and little memory. */
const batchBytes = 4 * 2 ** 20;

/** Largest blob that is sent in a batch; larger ones are streams. */
export const largestReservedBytes: number = batchBytes - 2 ** 16;

/** Batches on their way while the next one is gathered. */
const batchesInFlight = 2;

/** A blob that may have to be stored; its bytes must not change any more. */
interface Blob {
  readonly digest: Digest;
  readonly data: Uint8Array;
}

/** Blobs that are asked for and sent together. */
interface Batch {
  readonly blobs: Blob[];
  /** Of the blobs' bytes. */
  sizeBytes: number;
  /** Memory for blobs, used from the front; made when first wanted. */
  arena: Buffer | undefined;
  arenaUsed: number;
}

/**
 * Stores blobs that CAS does not have, many at a time. Memory is bounded:
 * `add` gives a promise to wait for where too much is on its way. Any failure
 * is thrown by a later `add`, and by `finish`.
 */
export class BlobUploader {
  readonly #cas: ContentAddressableStorage;
  readonly #context: CasContext;
  readonly #inFlight = new Set<Promise<void>>();
  /**
   * Memory of batches that were sent, to be used again: made anew for each
   * file, it would keep the collector of garbage busier than all the rest.
   */
  readonly #arenas: Buffer[] = [];
  #batch = emptyBatch();
  #failure: { readonly error: unknown } | undefined;
  #stored = { blobs: 0, bytes: 0 };

  constructor(cas: ContentAddressableStorage, context: CasContext) {
    this.#cas = cas;
    this.#context = context;
    // Each blob of a batch waits for it: no leak, as Node would think.
    if (context.signal !== undefined) setMaxListeners(0, context.signal);
  }

  /** What CAS lacked, so far. */
  get stored(): StoredBlobs {
    return this.#stored;
  }

  /**
   * Memory for the next blob, to be filled and then given to `add`, or left.
   * At most largestReservedBytes.
   */
  reserve(sizeBytes: number): Buffer | Promise<Buffer> {
    const { arenaUsed } = this.#batch;
    if (arenaUsed + sizeBytes <= batchBytes) return this.#take(sizeBytes);
    return this.#flush().then(() => this.#take(sizeBytes));
  }

  /** Takes a blob; undefined: more may come at once. */
  add(digest: Digest, data: Uint8Array): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (digest.sizeBytes === 0) return undefined;
    const batch = this.#batch;
    batch.blobs.push({ digest, data });
    batch.sizeBytes += data.byteLength;
    const isFull =
      batch.blobs.length === batchBlobs || batch.sizeBytes >= batchBytes;
    return isFull ? this.#flush() : undefined;
  }

  /**
   * Stores a large blob, beside the batches; waits where too much is on its
   * way. `onDone` is called when the source is not needed any more.
   */
  async addStream(
    digest: Digest,
    openSource: () => AsyncIterable<Uint8Array>,
    onDone: () => void,
  ): Promise<void> {
    await this.#room();
    this.#start(async () => {
      const missing = await this.#cas.findMissing([digest], this.#context);
      if (missing.length > 0) {
        await this.#cas.writeStream(digest, openSource, this.#context);
        this.#count(digest);
      }
      onDone();
    });
  }

  /** Waits until nothing is on its way, whatever became of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  /** Waits until all is stored. */
  async finish(): Promise<void> {
    await this.#flush();
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #flush(): Promise<void> {
    await this.#room();
    const batch = this.#batch;
    this.#batch = emptyBatch();
    const { arena } = batch;
    this.#start(async () => {
      if (batch.blobs.length > 0) await this.#send(batch.blobs);
      if (arena !== undefined) this.#arenas.push(arena);
    });
  }

  #take(sizeBytes: number): Buffer {
    const batch = this.#batch;
    batch.arena ??= this.#arenas.pop() ?? Buffer.allocUnsafeSlow(batchBytes);
    const start = batch.arenaUsed;
    batch.arenaUsed += sizeBytes;
    return batch.arena.subarray(start, batch.arenaUsed);
  }

  async #room(): Promise<void> {
    while (this.#inFlight.size >= batchesInFlight) {
      await Promise.race(this.#inFlight);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #start(upload: () => Promise<void>): void {
    const running = upload()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#inFlight.delete(running));
    this.#inFlight.add(running);
  }

  async #send(batch: readonly Blob[]): Promise<void> {
    const digests = batch.map(({ digest }) => digest);
    const missing = await this.#cas.findMissing(digests, this.#context);
    const wanted = new Set(missing.map(({ key }) => key));
    const blobs = new Map(batch.map((blob) => [blob.digest.key, blob]));
    await Promise.all(
      [...wanted].map(async (key) => {
        const blob = blobs.get(key);
        if (blob === undefined) return;
        await this.#cas.write(blob.data, this.#context, blob.digest);
        this.#count(blob.digest);
      }),
    );
  }

  #count({ sizeBytes }: Digest): void {
    this.#stored = {
      blobs: this.#stored.blobs + 1,
      bytes: this.#stored.bytes + sizeBytes,
    };
  }
}

function emptyBatch(): Batch {
  return { blobs: [], sizeBytes: 0, arena: undefined, arenaUsed: 0 };
}
