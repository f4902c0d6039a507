import { setTimeout as delay } from "node:timers/promises";
import { isRetryable, StatusError, toStatusError } from "../../status/index.js";

/** Waits; rejects with the signal's reason when that is aborted first. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;

/** How failed requests are tried again. */
export interface RetryOptions {
  /** The first one included. */
  readonly attempts: number;
  /** Before the second attempt; doubled for each one after. */
  readonly initialDelayMs: number;
  /** Of our own delays. */
  readonly maximumDelayMs: number;
  /**
   * Of waiting for answers, pauses not counted; when it is used up, no other
   * attempt is made. A host that takes connections and says nothing would
   * else cost one timeout for each attempt.
   */
  readonly maximumWaitMs: number;
  /** A registry that wants a longer pause is given up at once. */
  readonly maximumRetryAfterMs: number;
  readonly sleep: Sleep;
  /** Milliseconds, on a clock that never goes back. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Sleeps in real time. */
export const sleepOnClock: Sleep = async (ms, signal) => {
  await delay(ms, undefined, signal === undefined ? {} : { signal });
};

/**
 * What an attempt came to: a value, or a failure for which the peer said how
 * long to stay away. Failures without that are thrown.
 */
export type Attempt<Value> =
  | { readonly value: Value }
  | { readonly failure: StatusError; readonly retryAfterMs: number };

/**
 * Makes attempts until one succeeds, fails for good (isRetryable says no), or
 * none is left, of number or of time; then throws the last failure. Pauses grow and are jittered,
 * or are as long as the peer asks. When the signal is aborted in a pause, its
 * code is thrown with the text of the failure that led to the pause.
 */
export async function retry<Value>(
  attempt: () => Promise<Attempt<Value>>,
  options: RetryOptions,
  signal?: AbortSignal,
): Promise<Value> {
  let waitedMs = 0;
  for (let made = 1; ; made += 1) {
    const begun = options.now();
    const outcome = await attempt().catch((error: unknown) => ({
      failure: toStatusError(error),
      retryAfterMs: 0,
    }));
    if ("value" in outcome) return outcome.value;
    const { failure, retryAfterMs } = outcome;
    waitedMs += options.now() - begun;
    if (
      !isRetryable(failure.code) ||
      made >= options.attempts ||
      waitedMs >= options.maximumWaitMs ||
      signal?.aborted === true
    ) {
      throw failure;
    }
    if (retryAfterMs > options.maximumRetryAfterMs) {
      throw new StatusError(
        failure.code,
        `${failure.message}, and wants no request for ${Math.ceil(retryAfterMs / 1000)} s`,
        { cause: failure },
      );
    }
    const pauseMs = Math.max(backoffMs(made, options), retryAfterMs);
    await pause(pauseMs, failure, { sleep: options.sleep, signal });
  }
}

/** The pause after this many attempts: exponential, half of it jittered. */
export function backoffMs(made: number, options: RetryOptions): number {
  const full = Math.min(
    options.initialDelayMs * 2 ** (made - 1),
    options.maximumDelayMs,
  );
  return full * (0.5 + options.random() / 2);
}

/** Sleeps after a failure, and tells of it when the sleep is cut short. */
export async function pause(
  ms: number,
  failure: StatusError,
  options: { sleep: Sleep; signal: AbortSignal | undefined },
): Promise<void> {
  try {
    await options.sleep(ms, options.signal);
  } catch (error) {
    const { code, message } = toStatusError(options.signal?.reason ?? error);
    throw new StatusError(
      code,
      `${failure.message} (gave up before the next attempt: ${message})`,
      { cause: failure },
    );
  }
}

/**
 * Reads a Retry-After header (RFC 9110, section 10.2.3), in seconds or as a
 * date; 0 when there is none, or it makes no sense.
 */
export function parseRetryAfter(
  header: string | undefined,
  nowMs: number,
): number {
  if (header === undefined) return 0;
  if (/^[0-9]{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}
