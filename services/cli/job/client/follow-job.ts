import { setTimeout as sleep } from "node:timers/promises";
import {
  type JobMessage,
  jobMessageSchema,
} from "../../../../lib/job-api/index.js";
import {
  Code,
  isRetryable,
  StatusError,
  toStatusError,
} from "../../../../lib/status/index.js";
import { parseAnswer } from "./job-answer.js";
import type { JobHttpClient } from "./job-http-client.js";

/** How a job is followed. */
export interface FollowOptions {
  readonly signal: AbortSignal;
  /** The server is gone, and is looked for from now on. */
  readonly onLost: (error: StatusError) => Promise<void>;
  /** How long it is looked for. */
  readonly patienceMs?: number;
}

/** A service that is updated is back before. */
const defaultPatienceMs = 5 * 60_000;

const firstDelayMs = 100;
const longestDelayMs = 5_000;

/**
 * What happens to a job from now on, its log from the beginning, until all was
 * told. A server that is gone for a while is asked for the rest when it is
 * back. Throws what the server answers at first, or when it is back, and
 * Unavailable when it stays away.
 */
export async function* followJob(
  client: Pick<JobHttpClient, "events">,
  id: string,
  { signal, onLost, patienceMs = defaultPatienceMs }: FollowOptions,
): AsyncGenerator<JobMessage> {
  let lastEventId = "";
  let isKnown = false;
  let lostAt: number | undefined;
  let delayMs = firstDelayMs;
  for (;;) {
    let failure = new StatusError(
      Code.Unavailable,
      "The server ended a stream",
    );
    try {
      for await (const event of client.events(id, lastEventId)) {
        lastEventId = event.id;
        isKnown = true;
        lostAt = undefined;
        delayMs = firstDelayMs;
        if (event.data === undefined) continue;
        const message = parseAnswer(jobMessageSchema, event.data, "message");
        yield message;
        if (message.kind === "end") return;
      }
    } catch (error) {
      failure = toStatusError(error);
      if (signal.aborted || !isKnown || !isRetryable(failure.code)) throw error;
    }
    if (lostAt === undefined) await onLost(failure);
    lostAt ??= Date.now();
    if (Date.now() - lostAt >= patienceMs) throw failure;
    await sleep(delayMs, undefined, { signal });
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  }
}
