import {
  Code,
  isRetryable,
  StatusError,
  toStatusError,
} from "../status/index.js";
import type { HttpResponse } from "./http/http-transport.js";
import { backoffMs, pause, type RetryOptions } from "./http/retry.js";

/** How a blob is read. */
export interface ReadResumingOptions {
  readonly sizeBytes: number;
  /**
   * Asks for the blob from an offset on (0: all of it, without Range); the
   * answer has status 200, or, for another offset than 0, 206 or 416.
   */
  readonly open: (offset: number) => Promise<HttpResponse>;
  readonly retry: RetryOptions;
  readonly signal: AbortSignal | undefined;
}

interface Progress {
  /** Bytes given to the caller. */
  delivered: number;
  /** Bytes received, those skipped included. */
  transferred: number;
  /** Waited in vain for bytes, at the ends of broken connections. */
  stalledMs: number;
  canRange: boolean;
}

/** So much from one connection makes its failure count as the first. */
const progressBytes = 16 * 1024 * 1024;

/**
 * Reads a blob's bytes, once each and in order, and goes on where a broken
 * connection left off: by Range, or, where the registry cannot do that, from
 * the beginning with the known part skipped. No more than twice the blob's
 * size is transferred in all, and no longer waited for a silent registry than
 * retry.maximumWaitMs and one timeout. Nothing is verified here. Throws Unavailable
 * when the connection breaks too often, DataLoss when the registry states
 * another size, and what `open` throws.
 */
export async function* readResuming(
  options: ReadResumingOptions,
): AsyncGenerator<Uint8Array> {
  const { sizeBytes, retry, signal } = options;
  const progress: Progress = {
    delivered: 0,
    transferred: 0,
    stalledMs: 0,
    canRange: true,
  };
  for (let failures = 1; ; failures += 1) {
    const before = progress.delivered;
    const response = await openAtProgress(options, progress);
    const failure = yield* readBody(response, progress, retry.now);
    // All bytes are here, so that what broke afterwards does not matter;
    // whether they are the right ones is for the digest to say.
    if (progress.delivered >= sizeBytes) return;
    const stopped = new StatusError(
      failure.code,
      `${failure.message} after ${progress.delivered} of ${sizeBytes} bytes`,
      { cause: failure },
    );
    if (progress.delivered - before >= progressBytes) {
      failures = 1;
      progress.stalledMs = 0;
    }
    const isLast =
      failures >= retry.attempts ||
      progress.stalledMs >= retry.maximumWaitMs ||
      signal?.aborted === true;
    if (isLast || !isRetryable(failure.code)) throw stopped;
    const { sleep } = retry;
    await pause(backoffMs(failures, retry), stopped, { sleep, signal });
  }
}

/** Yields what is new; returns why the body ended. */
async function* readBody(
  { response, skip }: { response: HttpResponse; skip: number },
  progress: Progress,
  now: () => number,
): AsyncGenerator<Uint8Array, StatusError> {
  let toSkip = skip;
  let asked = now();
  try {
    for await (const chunk of response.body) {
      progress.transferred += chunk.byteLength;
      const fresh = chunk.subarray(Math.min(toSkip, chunk.byteLength));
      toSkip -= chunk.byteLength - fresh.byteLength;
      progress.delivered += fresh.byteLength;
      if (fresh.byteLength > 0) yield fresh;
      asked = now();
    }
  } catch (error) {
    progress.stalledMs += now() - asked;
    return toStatusError(error);
  }
  const text = `${response.subject} closed the connection`;
  return new StatusError(Code.Unavailable, text);
}

async function openAtProgress(
  options: ReadResumingOptions,
  progress: Progress,
): Promise<{ response: HttpResponse; skip: number }> {
  const { delivered } = progress;
  const { sizeBytes } = options;
  const offset = progress.canRange ? delivered : 0;
  const response = await options.open(offset);
  if (offset > 0 && response.status === 206) {
    const range = response.header("content-range");
    const expected = `bytes ${offset}-${sizeBytes - 1}/`;
    if (range === `${expected}${sizeBytes}` || range === `${expected}*`) {
      return { response, skip: 0 };
    }
  }
  if (offset > 0) progress.canRange = false;
  if (response.status !== 200) {
    // A range that is refused, or is another than was asked for.
    await response.discard();
    return openAtProgress(options, progress);
  }
  await checkLength(response, progress, sizeBytes);
  return { response, skip: delivered };
}

async function checkLength(
  response: HttpResponse,
  progress: Progress,
  sizeBytes: number,
): Promise<void> {
  const stated = response.header("content-length");
  if (stated !== undefined && stated !== String(sizeBytes)) {
    await response.discard();
    throw new StatusError(
      Code.DataLoss,
      `${response.subject} has a blob of ${stated} bytes where the descriptor says ${sizeBytes}`,
    );
  }
  if (progress.transferred > sizeBytes) {
    await response.discard();
    throw new StatusError(
      Code.Unavailable,
      `${response.subject} broke off ${progress.transferred} bytes of a blob of ${sizeBytes} and cannot resume it`,
    );
  }
}
