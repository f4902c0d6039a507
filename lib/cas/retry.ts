import { setTimeout as sleep } from "node:timers/promises";
import {
  isRetryable,
  type StatusError,
  toStatusError,
} from "../status/index.js";

/** How long and how often something is tried again. */
export interface RetrySettings {
  /** No attempt begins later than this after the first, in milliseconds. */
  readonly timeoutMs: number;
  /** Wait before the second attempt; it doubles each time, up to 20 times. */
  readonly initialDelayMs: number;
  /** A number from 0 to 1 for the jitter. */
  readonly random: () => number;
  /** Milliseconds since any moment. */
  readonly now: () => number;
}

/** Suits a peer that restarts: half a minute, beginning at 50 ms. */
export const defaultRetrySettings: RetrySettings = {
  timeoutMs: 30_000,
  initialDelayMs: 50,
  random: Math.random,
  now: () => performance.now(),
};

/** What ends the waits, and what is worth another attempt. */
interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly mayRetry?: (error: StatusError) => boolean;
}

/**
 * Attempts something until it succeeds, fails for good (`mayRetry` says no;
 * default: the code is retryable), or the time is over: then the last error
 * is thrown as it is. Waits grow and are jittered; the signal ends them.
 */
export function retry<T>(
  attempt: () => Promise<T>,
  settings: RetrySettings,
  options: RetryOptions = {},
): Promise<T> {
  const end = settings.now() + settings.timeoutMs;
  // Nearly all succeed at once, and for small calls a loop would cost as much
  // as the attempt.
  return attempt().catch((thrown: unknown) =>
    tryAgain(thrown, attempt, end, settings, options),
  );
}

async function tryAgain<T>(
  first: unknown,
  attempt: () => Promise<T>,
  end: number,
  settings: RetrySettings,
  { signal, mayRetry = ({ code }) => isRetryable(code) }: RetryOptions,
): Promise<T> {
  let thrown = first;
  for (let delayMs = settings.initialDelayMs; ; delayMs *= 2) {
    const error = toStatusError(thrown);
    const bounded = Math.min(delayMs, settings.initialDelayMs * 20);
    const waitMs = bounded * (0.5 + settings.random() / 2);
    if (!mayRetry(error) || settings.now() + waitMs > end) throw error;
    await sleep(waitMs, undefined, signal === undefined ? {} : { signal })
      // It fails for the signal alone, and hides the reason.
      .catch(() => {
        throw toStatusError(signal?.reason);
      });
    try {
      return await attempt();
    } catch (again) {
      thrown = again;
    }
  }
}
