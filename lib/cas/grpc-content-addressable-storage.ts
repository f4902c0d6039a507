import { LRUCache } from "lru-cache";
import { Digest, type InstanceName } from "../digest/index.js";
import {
  Code,
  type StatusError,
  toStatusError,
  wrap,
} from "../status/index.js";
import { abortable } from "./abortable.js";
import { collect } from "./collect.js";
import {
  type CasContext,
  type ContentAddressableStorage,
  maximumReadSizeBytes,
} from "./content-addressable-storage.js";
import { readByteStream, writeByteStream } from "./grpc-byte-stream.js";
import type { GrpcCasClients } from "./grpc-clients.js";
import {
  type GrpcInstance,
  maximumDigestsPerCall,
  openGrpcInstance,
} from "./grpc-instance.js";
import { defaultRetrySettings, type RetrySettings, retry } from "./retry.js";
import { checkReadSize, verifyBytes, verifyStream } from "./verify.js";

/** Instance names whose limits are remembered at a time. */
const maximumInstances = 1_000;

const empty = Buffer.alloc(0);

/** Longest batch call; a peer that hangs is as good as away. */
const defaultCallTimeoutMs = 60_000;

/** An instance name of the peer, from when its limits are asked for. */
interface OpenInstance {
  readonly opening: Promise<GrpcInstance>;
  ready: GrpcInstance | undefined;
}

/**
 * A store on the wire. Concurrent small requests share calls; each blob is
 * retried by itself while the peer says Unavailable (and, in batches,
 * ResourceExhausted: it may only have been too much at once). Limits are the
 * peer's, asked for once per instance name.
 */
export class GrpcContentAddressableStorage
  implements ContentAddressableStorage
{
  readonly #clients: GrpcCasClients;
  readonly #retry: RetrySettings;
  readonly #settings: { readonly timeoutMs: number; readonly gatherMs: number };
  readonly #instances = new LRUCache<InstanceName, OpenInstance>({
    max: maximumInstances,
  });

  /** The clients stay the caller's to close. */
  constructor(
    clients: GrpcCasClients,
    options: {
      retry?: Partial<RetrySettings>;
      callTimeoutMs?: number;
      /** Shortest time between batches of a kind, in milliseconds; default 0. */
      gatherMs?: number;
    } = {},
  ) {
    this.#clients = clients;
    this.#retry = { ...defaultRetrySettings, ...options.retry };
    this.#settings = {
      timeoutMs: options.callTimeoutMs ?? defaultCallTimeoutMs,
      gatherMs: options.gatherMs ?? 0,
    };
  }

  async findMissing(
    digests: readonly Digest[],
    context: CasContext,
  ): Promise<readonly Digest[]> {
    const unique = new Map<string, Digest>();
    for (const digest of digests) {
      if (digest.sizeBytes > 0) unique.set(digest.key, digest);
    }
    const wanted = [...unique.values()];
    const groups: Digest[][] = [];
    for (let at = 0; at < wanted.length; at += maximumDigestsPerCall) {
      groups.push(wanted.slice(at, at + maximumDigestsPerCall));
    }
    const answers = await Promise.all(
      groups.map((group) =>
        this.#attempt(context, "find missing blobs", (instance) =>
          instance.findMissing.add(group, context.signal),
        ),
      ),
    );
    return wanted.filter(({ key }) => answers.some((set) => set.has(key)));
  }

  async read(digest: Digest, context: CasContext): Promise<Buffer> {
    checkReadSize(digest, maximumReadSizeBytes);
    if (digest.sizeBytes === 0) {
      verifyBytes(digest, empty);
      return empty;
    }
    const data = await this.#attempt<Buffer | undefined>(
      context,
      `read blob "${digest}"`,
      ({ read, maximumBatchedBlobBytes }) =>
        digest.sizeBytes <= maximumBatchedBlobBytes
          ? read.add(digest, context.signal)
          : Promise.resolve(undefined),
    );
    return data ?? collect(this.open(digest, context));
  }

  open(digest: Digest, context: CasContext): AsyncIterable<Uint8Array> {
    return verifyStream(digest, this.#resuming(digest, context));
  }

  async write(
    data: Uint8Array,
    context: CasContext,
    known?: Digest,
  ): Promise<Digest> {
    const digest = known ?? Digest.of(data);
    if (digest.sizeBytes === 0) return digest;
    await this.#attempt(context, `write blob "${digest}"`, (instance) =>
      data.byteLength <= instance.maximumBatchedBlobBytes
        ? instance.write.add({ digest, data }, context.signal)
        : this.#upload(digest, () => once(data), context),
    );
    return digest;
  }

  async writeStream(
    digest: Digest,
    openSource: () => AsyncIterable<Uint8Array>,
    context: CasContext,
  ): Promise<void> {
    const missing = await this.findMissing([digest], context);
    if (missing.length === 0) return;
    await this.#attempt(context, `write blob "${digest}"`, async (instance) => {
      if (digest.sizeBytes > instance.maximumBatchedBlobBytes) {
        return this.#upload(digest, openSource, context);
      }
      const data = await collect(verifyStream(digest, openSource()));
      return instance.write.add({ digest, data }, context.signal);
    });
  }

  async #upload(
    digest: Digest,
    openSource: () => AsyncIterable<Uint8Array>,
    context: CasContext,
  ): Promise<void> {
    const source = verifyStream(digest, openSource());
    await writeByteStream(
      this.#clients.byteStream,
      { digest, source },
      context,
    );
  }

  /** Goes on where a broken stream ended, as long as there is progress. */
  async *#resuming(
    digest: Digest,
    context: CasContext,
  ): AsyncGenerator<Uint8Array> {
    let readOffset = 0;
    while (readOffset < digest.sizeBytes) {
      const answer = await this.#attempt(
        context,
        `read blob "${digest}"`,
        async () => {
          const stream = readByteStream(
            this.#clients.byteStream,
            { digest, readOffset },
            context,
          );
          return { stream, first: await stream.next() };
        },
      );
      if (answer.first.done === true) return; // too short: verifyStream says so
      try {
        readOffset += answer.first.value.byteLength;
        yield answer.first.value;
        for await (const piece of answer.stream) {
          readOffset += piece.byteLength;
          yield piece;
        }
      } catch (error) {
        if (toStatusError(error).code !== Code.Unavailable) throw error;
        continue;
      } finally {
        await answer.stream.return(undefined);
      }
      return;
    }
  }

  #attempt<T>(
    context: CasContext,
    doing: string,
    attempt: (instance: GrpcInstance) => Promise<T>,
  ): Promise<T> {
    const { instanceName, signal } = context;
    return retry(
      () => {
        const known = this.#instances.get(instanceName);
        if (known?.ready !== undefined) return attempt(known.ready);
        const { opening } = known ?? this.#open(instanceName);
        return abortable(opening, signal).then(attempt);
      },
      this.#retry,
      { signal, mayRetry },
    ).catch((error: unknown) => {
      throw wrap(error, `Failed to ${doing}`);
    });
  }

  #open(instanceName: InstanceName): OpenInstance {
    const opening = openGrpcInstance(
      this.#clients,
      instanceName,
      this.#settings,
    );
    const instance: OpenInstance = { opening, ready: undefined };
    this.#instances.set(instanceName, instance);
    opening.then(
      (ready) => {
        instance.ready = ready;
      },
      () => this.#instances.delete(instanceName),
    );
    return instance;
  }
}

function mayRetry({ code }: StatusError): boolean {
  return (
    code === Code.Unavailable ||
    code === Code.Aborted ||
    code === Code.ResourceExhausted
  );
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}
