import { Code, toStatusError } from "../../../../lib/status/index.js";
import type { Job } from "../../model/job.js";
import { hasEnded, type Step } from "../../model/step.js";
import type { JobKey, JobSnapshot, Workflow } from "../../workflow.js";
import type { Channel } from "./channel.js";
import { type JobEventItem, type LogPlace, notice } from "./job-events.js";
import type { LogCursor } from "./log-cursor.js";
import { utf8Pieces } from "./utf8-pieces.js";

/** Of one message; JSON makes at most six times as much of it. */
const maximumPieceBytes = 32 * 2 ** 10;

/** Steps whose logs are read while they run, for one reader. */
const maximumLive = 32;

/** What a follower works with. */
export interface LogFollowerOptions {
  readonly workflow: Pick<Workflow, "readLog">;
  readonly key: JobKey;
  /** What was sent already; noted in it by whoever sends. */
  readonly cursor: LogCursor;
  readonly channel: Channel<JobEventItem>;
  readonly signal: AbortSignal;
}

interface Reading {
  readonly place: LogPlace;
  readonly isLive: boolean;
  readonly controller: AbortController;
}

/**
 * Reads the logs of a job's steps into a channel: those that run side by side
 * as they are written, those that have ended one after the other.
 */
export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #readings = new Map<number, Reading>();
  readonly #done = new Map<number, string>();
  /** Steps that were looked at; before, the cursor says what was sent. */
  readonly #seen = new Set<number>();
  readonly #tasks = new Set<Promise<void>>();
  #snapshot: JobSnapshot | undefined;
  #endedBefore: Promise<void> = Promise.resolve();
  #hasToldOfLateLogs = false;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
  }

  /** Begins to read what is new, and leaves what is begun again. */
  update(snapshot: JobSnapshot): void {
    this.#snapshot = snapshot;
    const { job, live } = snapshot;
    for (const [index, step] of job.steps.entries()) {
      const place = { step: index, incarnation: incarnationOf(job, step) };
      this.#leaveOutdated(step, place);
      const liveStep = live.get(step.specification.name);
      if (hasEnded(step)) this.#begin(step, place, false);
      else if (liveStep?.streams !== undefined) {
        this.#begin(step, place, true);
      } else if (liveStep?.isExecuting === true) this.#tellOfLateLog(step);
    }
  }

  /** Resolves when all that was begun is read. */
  async finish(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  #leaveOutdated(step: Step, { step: index, incarnation }: LogPlace): void {
    const reading = this.#readings.get(index);
    const sent = this.#seen.has(index)
      ? (reading?.place.incarnation ?? this.#done.get(index))
      : this.#options.cursor.incarnation(index);
    this.#seen.add(index);
    if (sent === undefined || sent === incarnation) return;
    reading?.controller.abort();
    this.#readings.delete(index);
    this.#done.delete(index);
    const { name } = step.specification;
    this.#push(notice(`Step "${name}" is begun again, and its log with it`));
  }

  #begin(step: Step, place: LogPlace, isLive: boolean): void {
    const { cursor, signal } = this.#options;
    const { step: index, incarnation } = place;
    if (this.#readings.has(index) || signal.aborted) return;
    if (this.#done.get(index) === incarnation) return;
    if (cursor.progress(index, incarnation).isDone) return;
    const running = [...this.#readings.values()].filter((r) => r.isLive);
    if (isLive && running.length >= maximumLive) return;
    const reading = { place, isLive, controller: new AbortController() };
    this.#readings.set(index, reading);
    this.#track(this.#read(step, reading));
  }

  #track(task: Promise<void>): void {
    const tracked = task
      .catch((error: unknown) => this.#options.channel.close(error))
      .finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }

  async #read(step: Step, reading: Reading): Promise<void> {
    const { place, isLive } = reading;
    if (isLive) {
      await Promise.all([
        this.#readStream(step, "stdout", reading),
        this.#readStream(step, "stderr", reading),
      ]);
    } else if ("result" in step.state && step.state.result !== undefined) {
      const before = this.#endedBefore;
      const { promise, resolve } = withResolve();
      this.#endedBefore = promise;
      await before;
      try {
        await this.#readStream(step, "stdout", reading);
        await this.#readStream(step, "stderr", reading);
      } finally {
        resolve();
      }
    }
    if (this.#readings.get(place.step) !== reading) return; // left
    await this.#options.channel.push({ kind: "logEnd", place });
    this.#done.set(place.step, place.incarnation);
    this.#readings.delete(place.step);
    // A place is free for a step that had to wait for one.
    if (isLive && this.#snapshot !== undefined) this.update(this.#snapshot);
  }

  async #readStream(
    step: Step,
    stream: "stdout" | "stderr",
    { place, isLive, controller }: Reading,
  ): Promise<void> {
    const { workflow, key, cursor, channel } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, controller.signal]);
    const { name } = step.specification;
    let offset = cursor.progress(place.step, place.incarnation)[stream];
    try {
      const chunks = workflow.readLog(
        key,
        { step: name, stream, offset },
        { follow: isLive, signal },
      );
      for await (const piece of utf8Pieces(chunks, maximumPieceBytes)) {
        if (signal.aborted) return;
        const message = { kind: "log", step: name, stream, offset, ...piece };
        const item = { kind: "log", message, place } as const;
        if (!(await channel.push(item as JobEventItem))) return;
        offset += piece.bytes;
      }
    } catch (error) {
      if (signal.aborted) return;
      const { code } = toStatusError(error);
      if (code !== Code.NotFound && code !== Code.OutOfRange) throw error;
      await channel.push(
        notice(`The rest of ${stream} of step "${name}" is no longer there`),
      );
    }
  }

  #tellOfLateLog(step: Step): void {
    if (this.#hasToldOfLateLogs) return;
    this.#hasToldOfLateLogs = true;
    const { name } = step.specification;
    this.#push(
      notice(
        `The engine does not show logs of running steps: that of step "${name}" comes at its end`,
      ),
    );
  }

  #push(item: JobEventItem): void {
    this.#track(this.#options.channel.push(item).then(() => {}));
  }
}

/**
 * A retry begins the steps anew that had not succeeded, and counts their
 * attempts from 1: those that had are told apart by when they ended.
 */
function incarnationOf(job: Job, { state, attempts }: Step): string {
  const starts = [...job.pastRuns, job].map(({ startedAt }) => startedAt);
  const run =
    state.kind === "succeeded"
      ? Math.max(1, starts.filter((start) => start <= state.at).length)
      : starts.length;
  return `${run}.${attempts}`;
}

function withResolve(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
