import { LRUCache } from "lru-cache";
import type { Directory } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { ContentAddressableStorage } from "../cas/index.js";
import { Digest, type InstanceName } from "../digest/index.js";
import { DigestList } from "../image-import/index.js";
import { readDirectory, walkTree } from "../merkle-tree/index.js";
import { SingleFlight } from "../single-flight/index.js";
import {
  Code,
  isCacheable,
  type StatusError,
  toStatusError,
} from "../status/index.js";
import type { FoundTree, ImageOrigin, OriginContext } from "./image-origin.js";

/** An image whose tree is in CAS. */
export interface CasImage {
  readonly rootDigest: Digest;
  readonly root: Directory;
}

/** What happened to a kept image; `repaired` means that blobs were missing. */
export type KeeperEvent = "found" | "confirmed" | "repaired";

/** How images are kept. */
export interface CasImageKeeperOptions {
  readonly cas: ContentAddressableStorage;
  /**
   * How long an image is used without asking CAS for its blobs: far below the
   * time that CAS keeps what nobody asks for.
   */
  readonly confirmedForMs: number;
  /** Signs of eviction are followed once in this time. */
  readonly repairIntervalMs: number;
  /** How long an image that cannot be made is not tried again. */
  readonly failureLifetimeMs: number;
  /** Images that are remembered, with 40 bytes for each blob of theirs. */
  readonly maximumImages: number;
  readonly onEvent: (event: KeeperEvent) => void;
  /** Told of failures in the background. */
  readonly onError: (error: unknown) => void;
  /** Monotonic milliseconds; default: the machine's. */
  readonly now?: () => number;
}

/** Who asks for an image. */
export interface KeepContext {
  readonly instanceName: InstanceName;
  /** Ends this caller's waiting. */
  readonly signal: AbortSignal;
  /** Whether the caller has a reason to think that blobs were evicted. */
  readonly suspectsEviction: boolean;
}

/** An image as it is remembered. */
interface KeptImage {
  readonly image: CasImage;
  readonly digests: DigestList | undefined;
  readonly confirmedAtMs: number;
}

/** Digests of one question: memory for them is all that this costs. */
const digestsPerQuestion = 10_000;

/**
 * Gives the trees of images in CAS, and keeps them there: no tree is given
 * whose blobs were not all found within `confirmedForMs`. Asking for them is
 * also what keeps CAS from evicting them (REAPI, FindMissingBlobs). What is
 * missing is repaired by the image's origin.
 */
export class CasImageKeeper {
  readonly #options: CasImageKeeperOptions;
  readonly #now: () => number;
  readonly #kept: LRUCache<string, KeptImage>;
  readonly #failures = new LRUCache<string, StatusError>({
    max: 1_000,
    ttl: 1, // each has its own
  });
  readonly #suspectedAtMs = new LRUCache<string, number>({ max: 10_000 });
  readonly #flights = new SingleFlight<KeptImage>();

  constructor(options: CasImageKeeperOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#kept = new LRUCache({ max: options.maximumImages });
  }

  /**
   * The image's tree, all of which is in CAS. Throws what the origin throws,
   * and FailedPrecondition for a tree that nobody here can repair.
   */
  async get(origin: ImageOrigin, context: KeepContext): Promise<CasImage> {
    const key = `${context.instanceName}\n${origin.key}`;
    const failure = this.#failures.get(key);
    if (failure !== undefined) throw failure;
    const kept = this.#kept.get(key);
    if (kept === undefined) {
      return (await this.#run(key, context, (c) => this.#find(origin, c)))
        .image;
    }
    const ageMs = this.#now() - kept.confirmedAtMs;
    const { confirmedForMs } = this.#options;
    const { instanceName } = context;
    const refresh = (signal: AbortSignal) =>
      this.#run(key, { instanceName, signal }, (c) =>
        this.#confirm(origin, kept, c),
      );
    if (ageMs >= confirmedForMs || this.#isSuspect(key, context)) {
      return (await refresh(context.signal)).image;
    }
    // Before it is due, so that no action has to wait for it.
    if (ageMs >= confirmedForMs / 2) {
      refresh(new AbortController().signal).catch(this.#options.onError);
    }
    return kept.image;
  }

  /** Follows a sign of eviction, unless one was just followed. */
  #isSuspect(key: string, { suspectsEviction }: KeepContext): boolean {
    if (!suspectsEviction) return false;
    const lastMs = this.#suspectedAtMs.get(key);
    const nowMs = this.#now();
    const { repairIntervalMs } = this.#options;
    if (lastMs !== undefined && nowMs - lastMs < repairIntervalMs) return false;
    this.#suspectedAtMs.set(key, nowMs);
    return true;
  }

  #run(
    key: string,
    { instanceName, signal }: Pick<KeepContext, "instanceName" | "signal">,
    work: (context: OriginContext) => Promise<KeptImage>,
  ): Promise<KeptImage> {
    return this.#flights.run(
      key,
      async (ended) => {
        try {
          const kept = await work({ instanceName, signal: ended });
          this.#kept.set(key, kept);
          return kept;
        } catch (error) {
          const failure = toStatusError(error);
          const ttl = this.#options.failureLifetimeMs;
          if (isCacheable(failure.code) && ttl > 0) {
            this.#failures.set(key, failure, { ttl });
          }
          throw failure;
        }
      },
      signal,
    );
  }

  async #find(origin: ImageOrigin, context: OriginContext): Promise<KeptImage> {
    const found = await origin.find(context);
    const confirmed = await this.#complete(origin, found, context);
    this.#options.onEvent("found");
    return this.#keep(confirmed, context);
  }

  async #confirm(
    origin: ImageOrigin,
    { image, digests }: KeptImage,
    context: OriginContext,
  ): Promise<KeptImage> {
    const { rootDigest } = image;
    const known = { rootDigest, digests, isConfirmed: false };
    const confirmed = await this.#complete(origin, known, context);
    this.#options.onEvent("confirmed");
    if (!confirmed.rootDigest.equals(rootDigest)) {
      return this.#keep(confirmed, context);
    }
    const confirmedAtMs = this.#now();
    return { image, digests: confirmed.digests, confirmedAtMs };
  }

  async #keep(
    { rootDigest, digests }: FoundTree,
    context: OriginContext,
  ): Promise<KeptImage> {
    const { cas } = this.#options;
    const confirmedAtMs = this.#now();
    const { directory } = await readDirectory(cas, rootDigest, context);
    return { image: { rootDigest, root: directory }, digests, confirmedAtMs };
  }

  /** The tree, listed, when nothing of it is missing any more. */
  async #complete(
    origin: ImageOrigin,
    found: FoundTree,
    context: OriginContext,
  ): Promise<FoundTree> {
    if (found.isConfirmed) return found;
    const digests = found.digests ?? (await this.#list(found, context));
    const missing =
      digests === undefined ? 1 : await this.#countMissing(digests, context);
    if (missing === 0) return { ...found, digests };
    const repaired = await origin.repair(missing, context);
    this.#options.onEvent("repaired");
    return repaired;
  }

  /** All that a tree refers to; undefined if a Directory of it is missing. */
  async #list(
    { rootDigest }: FoundTree,
    context: OriginContext,
  ): Promise<DigestList | undefined> {
    try {
      return await listTree(this.#options.cas, rootDigest, context);
    } catch (error) {
      if (toStatusError(error).code === Code.NotFound) return undefined;
      throw error;
    }
  }

  async #countMissing(
    digests: DigestList,
    context: OriginContext,
  ): Promise<number> {
    const { cas } = this.#options;
    let missing = 0;
    let question: Digest[] = [];
    const ask = async () => {
      missing += (await cas.findMissing(question, context)).length;
      question = [];
    };
    for (const digest of digests) {
      question.push(digest);
      if (question.length === digestsPerQuestion) await ask();
    }
    await ask();
    return missing;
  }
}

/** The digests of all Directories and files of a tree in CAS. */
async function listTree(
  cas: ContentAddressableStorage,
  root: Digest,
  context: OriginContext,
): Promise<DigestList> {
  const digests = new DigestList();
  const seen = new Set<string>();
  for await (const { digest, directory } of walkTree(cas, root, { context })) {
    digests.add(digest);
    for (const { digest: content } of directory.files) {
      if (content === undefined || content.sizeBytes === 0) continue;
      if (seen.has(content.hash)) continue;
      seen.add(content.hash);
      digests.add(Digest.fromProto(content, "digest of file"));
    }
  }
  return digests;
}
