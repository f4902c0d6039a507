import type { Logger } from "../../lib/log/index.js";
import { codeName, toStatusError } from "../../lib/status/index.js";
import type { observedAcquire } from "./observed-acquire.js";

/**
 * Pulls images before anyone asks for them, one after the other. One that
 * fails is logged and left to whoever asks for it. Ends early with the signal.
 */
export async function prefetchRoots(
  references: readonly string[],
  options: {
    acquire: ReturnType<typeof observedAcquire>;
    log: Logger;
    signal: AbortSignal;
  },
): Promise<void> {
  const { acquire, log, signal } = options;
  for (const reference of references) {
    if (signal.aborted) return;
    try {
      const lease = await acquire(reference, { signal });
      lease.release();
    } catch (error) {
      const { code, message } = toStatusError(error);
      log.warn("Failed to prefetch image root", {
        imageReference: reference,
        code: codeName(code),
        message,
      });
    }
  }
}
