import { setMaxListeners } from "node:events";
import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import type { StoredBlobs } from "./import-worker-job.js";

/** Digests of one question for what is missing. */
const batchBlobs = 1_000;

/** Bytes of one batch: a full BatchUpdateBlobs, and little memory. */
const batchBytes = 4 * 2 ** 20;

/** Batches on their way while the next one is gathered. */
const batchesInFlight = 2;

/** A blob that may have to be stored; its bytes must not change any more. */
interface Blob {
  readonly digest: Digest;
  readonly data: Uint8Array;
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
  #batch: Blob[] = [];
  #bytes = 0;
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

  /** Takes a blob; undefined: more may come at once. */
  add(digest: Digest, data: Uint8Array): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (digest.sizeBytes === 0) return undefined;
    this.#batch.push({ digest, data });
    this.#bytes += data.byteLength;
    const isFull =
      this.#batch.length === batchBlobs || this.#bytes >= batchBytes;
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
    if (batch.length === 0) return;
    this.#batch = [];
    this.#bytes = 0;
    this.#start(() => this.#send(batch));
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
        await this.#cas.write(blob.data, this.#context);
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
