import type { Logger } from "../../lib/log/index.js";
import type { RootLease } from "../../lib/root-store/index.js";
import { codeName, toStatusError } from "../../lib/status/index.js";
import type { FetchRootOptions, RootFetcher } from "./root-fetcher.js";
import type { RootFetcherMetrics } from "./root-fetcher-metrics.js";

/**
 * Acquires roots, with one log line and one observation for each. Who only
 * watches a pull is not counted: the action that it waits for acquires the
 * same root.
 */
export function observedAcquire(
  fetcher: RootFetcher,
  { log, metrics }: { log: Logger; metrics: RootFetcherMetrics },
): (reference: string, options: FetchRootOptions) => Promise<RootLease> {
  return async (reference, options) => {
    if (options.onProgress !== undefined) {
      return fetcher.acquire(reference, options);
    }
    const start = performance.now();
    const durationMs = () => Math.round(performance.now() - start);
    try {
      const lease = await fetcher.acquire(reference, options);
      metrics.acquired(lease.hit ? "hit" : "miss", durationMs() / 1000);
      log.info("Acquired image root", {
        imageReference: reference,
        hit: lease.hit,
        durationMs: durationMs(),
      });
      return lease;
    } catch (error) {
      metrics.acquired("error", durationMs() / 1000);
      const { code, message } = toStatusError(error);
      log.info("Refused image root", {
        imageReference: reference.slice(0, maximumLoggedReference),
        code: codeName(code),
        message,
        durationMs: durationMs(),
      });
      throw error;
    }
  };
}

/** What a client sends may be no reference at all; a line is enough of it. */
const maximumLoggedReference = 300;
