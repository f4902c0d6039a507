import { setTimeout as sleep } from "node:timers/promises";
import { Code, toStatusError } from "../../../../lib/status/index.js";
import { hasJobEnded } from "../../model/job.js";
import type { JobKey, Workflow } from "../../workflow.js";
import { Channel } from "./channel.js";
import { type JobEventItem, notice } from "./job-events.js";
import { jobView } from "./job-view.js";
import type { LogCursor } from "./log-cursor.js";
import { LogFollower } from "./log-follower.js";
import { serverSentEvent } from "./server-sent-event.js";

/** Events that wait for a reader; each is at most a log message's size. */
const capacity = 4;

/**
 * A job's view grows with its steps, and with them the number of its changes:
 * so many milliseconds a step lie between two views, and never over a second.
 */
const pausePerStepMs = 1;
const maximumPauseMs = 1_000;

/** What a reader of a job's events wants. */
export interface JobEventStreamOptions {
  readonly workflow: Pick<Workflow, "watch" | "readLog">;
  readonly key: JobKey;
  /** What the reader has of the log; undefined if it wants none of it. */
  readonly cursor: LogCursor | undefined;
  readonly heartbeatMs: number;
  /** Aborted when the reader has left. */
  readonly signal: AbortSignal;
  /** Aborted when the service stops. */
  readonly stopping: AbortSignal;
}

/**
 * The events of a job as text of a server-sent event stream. Ends behind the
 * message "end", or without it where the reader should come again: then what
 * it says as its last id is where it goes on.
 */
export async function* jobEventStream(
  options: JobEventStreamOptions,
): AsyncGenerator<string> {
  const channel = new Channel<JobEventItem>(capacity);
  const controller = new AbortController();
  const signal = AbortSignal.any([options.signal, controller.signal]);
  const heartbeat = setInterval(
    () => channel.offer({ kind: "comment", text: "" }),
    options.heartbeatMs,
  );
  const stop = () => channel.close();
  options.stopping.addEventListener("abort", stop);
  signal.addEventListener("abort", stop);
  const produced = produce(options, { channel, signal });
  try {
    yield "retry: 1000\n\n";
    for await (const item of channel.items()) {
      yield textOf(item, options.cursor);
    }
    if (options.stopping.aborted) {
      yield ": the service is being stopped, come again\n\n";
    }
  } finally {
    options.stopping.removeEventListener("abort", stop);
    clearInterval(heartbeat);
    controller.abort();
    await produced;
  }
}

/** Fills the channel and closes it; never throws. */
async function produce(
  options: JobEventStreamOptions,
  { channel, signal }: { channel: Channel<JobEventItem>; signal: AbortSignal },
): Promise<void> {
  const { workflow, key, cursor } = options;
  const follower =
    cursor && new LogFollower({ workflow, key, cursor, channel, signal });
  try {
    let hasEnded = false;
    for await (const snapshot of workflow.watch(key, signal)) {
      if (snapshot.job.isHidden) return await tellOfDeletion(channel);
      const message = { kind: "job", job: jobView(snapshot) } as const;
      if (!(await channel.push({ kind: "message", message }))) break;
      follower?.update(snapshot);
      hasEnded = hasJobEnded(snapshot.job);
      if (hasEnded) break;
      const pause = snapshot.job.steps.length * pausePerStepMs;
      await sleep(Math.min(pause, maximumPauseMs), undefined, { signal });
    }
    await follower?.finish();
    if (hasEnded) {
      await channel.push({ kind: "message", message: { kind: "end" } });
    }
    channel.close();
  } catch (error) {
    if (toStatusError(error).code === Code.NotFound) {
      return tellOfDeletion(channel);
    }
    channel.close(signal.aborted ? undefined : error);
  }
}

async function tellOfDeletion(channel: Channel<JobEventItem>): Promise<void> {
  await channel.push(notice("The job was deleted"));
  await channel.push({ kind: "message", message: { kind: "end" } });
  channel.close();
}

function textOf(item: JobEventItem, cursor: LogCursor | undefined): string {
  switch (item.kind) {
    case "comment":
      return `:${item.text}\n\n`;
    case "message":
      return serverSentEvent({ event: item.message.kind, data: item.message });
    case "log": {
      const { message, place } = item;
      const before = cursor?.progress(place.step, place.incarnation);
      if (before !== undefined) {
        const end = message.offset + message.bytes;
        cursor?.set(place.step, { ...before, [message.stream]: end });
      }
      const id = cursor?.toString();
      return serverSentEvent({ event: "log", data: message, id });
    }
    case "logEnd": {
      const { step, incarnation } = item.place;
      cursor?.set(step, { incarnation, stdout: 0, stderr: 0, isDone: true });
      return serverSentEvent({ id: cursor?.toString() });
    }
  }
}
