import { setTimeout as sleep } from "node:timers/promises";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { Job } from "../model/job.js";
import type { AttemptOutcome, JobEvent } from "../model/job-event.js";
import { reasonOf } from "../model/reason.js";
import type { Step, StepState } from "../model/step.js";
import type { LiveStep } from "../workflow.js";
import { type AttemptStart, runAttempt } from "./attempt.js";
import type { JobRunParts } from "./job-run-parts.js";
import type { Progress } from "./remote-engine.js";
import { dataOf } from "./step-data.js";

/** Longest wait between two attempts of a step. */
const maximumRetryDelayMs = 30_000;

/** The job that a turn is part of, as far as turns see and change it. */
export interface TurnJob {
  /** As it was written last. */
  current(): Job;
  /** Writes an event down, and waits for a store that is away. */
  apply(event: JobEvent): Promise<void>;
  /** The same; false if the job is in no state for it: it was cancelled. */
  applyIfApt(event: JobEvent): Promise<boolean>;
  /** Tells watchers that a turn's `live` has changed. */
  announce(): void;
}

/**
 * A step's turn: one attempt, from when the step may begin until the end of
 * the attempt is written down.
 *
 * | it         | until                      | cancel()                   |
 * |------------|----------------------------|----------------------------|
 * | is delayed | a while after a broken one | ends the turn              |
 * | queues     | it has one of the places   | ends the turn              |
 * | begins     | that and CAS are written   | ends it, as cancelled if   |
 * |            |                            | its beginning was written  |
 * | runs       | the engine tells its end   | stops the program          |
 * | ends       | its outcome is written     | changes nothing            |
 *
 * One that an earlier process of ours began takes a place, and runs; cancelled
 * in the queue it keeps its turn, as its program has to be stopped. When the
 * service stops the turn ends wherever it is, and writes nothing more: the
 * program runs on, and the next process goes on from what is written.
 */
export class StepTurn {
  readonly #job: TurnJob;
  /** As it was when its turn came. */
  readonly #step: Step;
  readonly #parts: JobRunParts;
  readonly #cancel = new AbortController();
  #live: LiveStep | undefined;

  /** Takes a step that is ready, or running. */
  constructor(job: TurnJob, step: Step, parts: JobRunParts) {
    this.#job = job;
    this.#step = step;
    this.#parts = parts;
  }

  /** What the engine tells of the attempt, while it runs. */
  get live(): LiveStep | undefined {
    return this.#live;
  }

  /** The job is being cancelled: idempotent, and nothing waits for it. */
  cancel(reason: StatusError): void {
    this.#cancel.abort(reason);
  }

  /**
   * Resolves when the turn is over, with nothing written if it was cancelled
   * before it had a place. Throws what writing throws, and when the service
   * stops its reason. To be called once.
   */
  async take(): Promise<void> {
    const { state } = this.#step;
    try {
      if (state.kind === "running") await this.#resume(state);
      else if (state.kind === "ready") await this.#begin(state);
    } finally {
      this.#live = undefined;
    }
  }

  async #begin({ after, since }: StepState & { kind: "ready" }): Promise<void> {
    const { queue, stop } = this.#parts;
    const leave = AbortSignal.any([stop, this.#cancel.signal]);
    try {
      if (after !== undefined) await this.#delay(leave);
      // What waits for a place is not kept waiting by us.
      const { isFull } = queue;
      const attempt = () =>
        this.#attempt({ dueMs: isFull ? Date.now() : since });
      await queue.run(this.#job.current().tenant, attempt, leave);
    } catch (thrown) {
      if (thrown !== this.#cancel.signal.reason) throw thrown;
    }
  }

  async #delay(leave: AbortSignal): Promise<void> {
    const { retryDelayMs } = this.#parts;
    const wishedMs = retryDelayMs * 2 ** (this.#step.attempts - 1);
    const ms = Math.min(wishedMs, maximumRetryDelayMs);
    await sleep(ms, undefined, { signal: leave }).catch(() =>
      leave.throwIfAborted(),
    );
  }

  /** That it begins is written while CAS is filled; the engine waits for both. */
  async #attempt({ dueMs }: { dueMs: number }): Promise<void> {
    const job = this.#job.current();
    const step = this.#step.specification.name;
    const begun = this.#job.applyIfApt({ kind: "attemptStarted", step });
    begun.catch(() => {}); // it is looked at below
    const startedMs = Date.now();
    const start = this.#startIn(job);
    const outcome =
      start === undefined
        ? withoutImage
        : await this.#run(start, { job, begun, dueMs });
    if (await begun) await this.#write(outcome, { job, startedMs });
  }

  /** What was begun, and not named, cannot be found again. */
  async #resume({ operation }: StepState & { kind: "running" }): Promise<void> {
    const { queue, stop } = this.#parts;
    const { specification } = this.#step;
    const attempt = async () => {
      const job = this.#job.current();
      const startedMs = Date.now();
      const outcome =
        operation === undefined
          ? unknownFate
          : await this.#run(
              { kind: "resume", specification, operation },
              { job, begun: Promise.resolve(true), dueMs: startedMs },
            );
      await this.#write(outcome, { job, startedMs });
    };
    await queue.run(this.#job.current().tenant, attempt, stop);
  }

  #run(
    start: AttemptStart,
    { job, begun, dueMs }: { job: Job; begun: Promise<boolean>; dueMs: number },
  ): Promise<AttemptOutcome> {
    const { engine, settings, observer, stop } = this.#parts;
    return runAttempt(start, {
      engine,
      settings,
      metadata: this.#parts.metadataOf(job, this.#step),
      onProgress: (progress) => this.#onProgress(progress),
      begun,
      onSent: () => observer.attemptSent(Date.now() - dueMs),
      cancel: this.#cancel.signal,
      stop,
    });
  }

  async #write(
    outcome: AttemptOutcome,
    { job, startedMs }: { job: Job; startedMs: number },
  ): Promise<void> {
    const step = this.#step.specification.name;
    const durationMs = Date.now() - startedMs;
    this.#parts.observer.attemptEnded({ job, step, outcome, durationMs });
    this.#live = undefined;
    await this.#job.apply({ kind: "attemptEnded", step, outcome });
  }

  #onProgress({ operation, isExecuting, streams }: Progress): void {
    const isNew = this.#live === undefined;
    if (this.#live?.isExecuting !== isExecuting) {
      this.#live = { isExecuting, streams };
      this.#job.announce();
    }
    if (isNew && this.#step.state.kind === "ready") this.#name(operation);
  }

  /** Nobody waits for it: without the name an attempt is only repeated. */
  #name(operation: string): void {
    const step = this.#step.specification.name;
    const { stop, sink } = this.#parts;
    this.#job
      .applyIfApt({ kind: "operationNamed", step, operation })
      .catch((error: unknown) => {
        if (!stop.aborted) sink(error);
      });
  }

  #startIn(job: Job): AttemptStart | undefined {
    const { specification, image, attempts } = this.#step;
    if (image === undefined) return undefined;
    const run = job.pastRuns.length + 1;
    const salt = `${job.id}/${run}/${specification.name}/${attempts + 1}`;
    return {
      kind: "begin",
      step: {
        specification,
        image,
        data: (source) => dataOf(job, source),
        // What may come out of the cache must be the same action each time.
        ...(specification.cache ? {} : { salt }),
      },
    };
  }
}

const unknownFate: AttemptOutcome = {
  kind: "broken",
  reason: {
    code: "ABORTED",
    text: "The service was restarted while the step was being handed to the engine",
  },
  mayHaveRun: true,
};

/** A fault of ours: images are resolved before a step is ready. */
const withoutImage: AttemptOutcome = {
  kind: "refused",
  reason: reasonOf(
    new StatusError(Code.Internal, "The step began without an image"),
  ),
};
