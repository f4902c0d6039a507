import { LRUCache } from "lru-cache";
import type { ContentAddressableStorage } from "../cas/index.js";
import type { Digest, InstanceName } from "../digest/index.js";
import { wrap } from "../status/index.js";

/**
 * Puts what was rewritten, Commands and input roots, where workers read it.
 * Like a read, a write is not given up with its caller.
 */
export interface BlobWriter {
  /**
   * Returns when CAS holds it; throws what CAS throws. Idempotent. With
   * `isRetry` nothing is taken to be present.
   */
  write(
    blob: EncodedBlob,
    instanceName: InstanceName,
    isRetry?: boolean,
  ): Promise<void>;
}

/** A message ready for CAS. */
export interface EncodedBlob {
  readonly digest: Digest;
  readonly data: Uint8Array;
}

/**
 * A writer that leaves out what it wrote to the same instance name a short
 * while ago. CAS may lose a blob at any time, and a client cannot upload a
 * blob that it never made: `knownPresentMs` is how long such a client
 * fails at worst, so keep it far below the retention of CAS.
 */
export function createBlobWriter(options: {
  cas: ContentAddressableStorage;
  /** How long a written blob is taken to be present; 0: not at all. */
  knownPresentMs: number;
  /** How many are remembered; about 200 bytes each. */
  maximumKnown: number;
  /** Told of every look into what is known. */
  onLookup?: (result: "hit" | "miss") => void;
  /** Monotonic milliseconds; default: the machine's. */
  now?: () => number;
}): BlobWriter {
  const { cas, knownPresentMs, onLookup } = options;
  const known = new LRUCache<string, true>({
    max: options.maximumKnown,
    // lru-cache takes 0 for no limit at all.
    ttl: Math.max(1, knownPresentMs),
    ttlResolution: 0, // the clock is read each time, so that tests can move it
    perf: { now: options.now ?? (() => performance.now()) },
  });
  return {
    write: async ({ digest, data }, instanceName, isRetry = false) => {
      const key = `${digest.key} ${instanceName}`;
      const isKnown = !isRetry && knownPresentMs > 0 && known.get(key) === true;
      onLookup?.(isKnown ? "hit" : "miss");
      if (isKnown) return;
      await cas
        .write(data, { instanceName }, digest)
        .catch((error: unknown) => {
          throw wrap(error, `Failed to store rewritten blob "${digest}"`);
        });
      known.set(key, true);
    },
  };
}
