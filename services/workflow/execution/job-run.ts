import { setTimeout as sleep } from "node:timers/promises";
import type { Metadata } from "@grpc/grpc-js";
import type { FairQueue } from "../../../lib/fair-queue/index.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import { hasJobEnded, type Job } from "../model/job.js";
import type { JobEvent } from "../model/job-event.js";
import { reasonOf } from "../model/reason.js";
import type { Step } from "../model/step.js";
import type { JobSnapshot, LiveStep } from "../workflow.js";
import { type AttemptStart, runAttempt } from "./attempt.js";
import type { ActionSettings } from "./build-action.js";
import { Changes } from "./changes.js";
import type { JobImages } from "./job-images.js";
import type { JobObserver } from "./job-observer.js";
import type { JobRecord } from "./job-record.js";
import type { Progress, RemoteEngine } from "./remote-engine.js";
import { resolveImages } from "./resolve-images.js";
import { dataOf } from "./step-data.js";

/** What runs of jobs share. */
export interface JobRunParts {
  readonly engine: RemoteEngine;
  readonly images: JobImages;
  readonly settings: ActionSettings;
  /** Places for attempts; tenants take turns. */
  readonly queue: FairQueue;
  /** How long an image may be out of reach before the job fails. */
  readonly prepareTimeoutMs: number;
  /** The wait before the second attempt of a step; it doubles each time. */
  readonly retryDelayMs: number;
  /** Headers for the engine, which say whose action it is. */
  readonly metadataOf: (job: Job, step: Step) => Metadata;
  readonly observer: JobObserver;
  /** Takes errors that no caller waits for. */
  readonly sink: (error: unknown) => void;
  /** Aborted when the service ends; what the engine runs goes on. */
  readonly stop: AbortSignal;
}

/** Longest wait between two attempts of a step. */
const maximumRetryDelayMs = 30_000;

/**
 * Drives one job from where its record is to its end: prepares it, begins
 * every step that may begin, and writes down how it ended.
 */
export class JobRun {
  readonly #record: JobRecord;
  readonly #parts: JobRunParts;
  readonly #changes = new Changes();
  readonly #live = new Map<string, LiveStep>();
  /** Attempts under way, by step; aborted to stop their program. */
  readonly #tasks = new Map<string, AbortController>();
  #preparation: AbortController | undefined;
  #hasEnded = false;
  readonly #end: { promise: Promise<void>; resolve: () => void };

  constructor(record: JobRecord, parts: JobRunParts) {
    this.#record = record;
    this.#parts = parts;
    let resolve = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#end = { promise, resolve };
  }

  /** Resolves when nothing is done for the job any more. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  /** The job as it is now. */
  get snapshot(): JobSnapshot {
    return { job: this.#record.job, live: new Map(this.#live) };
  }

  /** Begins, or goes on after a restart. */
  start(): void {
    for (const step of this.#record.job.steps) {
      if (step.state.kind === "running") this.#begin(step);
    }
    this.#drive();
  }

  /** Writes down what a user wants; throws what JobRecord.apply throws. */
  async apply(event: JobEvent): Promise<JobSnapshot> {
    await this.#apply(event);
    return this.snapshot;
  }

  /** The job now, and whenever it changed, until it has ended or we have. */
  async *watch(signal: AbortSignal): AsyncGenerator<JobSnapshot> {
    while (!signal.aborted) {
      const next = this.#changes.next(signal);
      // Asked before: while a slow reader has this state, the last may come.
      const isLast = this.#hasEnded;
      const { snapshot } = this;
      yield snapshot;
      if (isLast || hasJobEnded(snapshot.job)) return;
      if (!this.#hasEnded) await next;
    }
  }

  async #apply(event: JobEvent, patience?: AbortSignal): Promise<void> {
    await this.#record.apply(event, { patience });
    this.#changes.announce();
    this.#drive();
  }

  /** Does what the job's state asks for, unless it is being done. */
  #drive(): void {
    if (this.#hasEnded) return;
    const { job } = this.#record;
    switch (job.state.kind) {
      case "preparing":
        if (this.#preparation === undefined) this.#prepare(job);
        break;
      case "running":
        for (const step of job.steps) {
          const { name } = step.specification;
          const isUnderWay = this.#tasks.has(name);
          if (step.state.kind === "ready" && !isUnderWay) this.#begin(step);
        }
        break;
      case "cancelling":
        this.#stopTasks(job);
        break;
      case "succeeded":
      case "failed":
      case "cancelled":
        this.#stopTasks(job);
        this.#finish();
        this.#parts.observer.jobEnded(job);
    }
  }

  #stopTasks({ id }: Job): void {
    const reason = new StatusError(
      Code.Cancelled,
      `Job "${id}" is being cancelled`,
    );
    this.#preparation?.abort(reason);
    for (const task of this.#tasks.values()) task.abort(reason);
  }

  #finish(): void {
    this.#hasEnded = true;
    this.#changes.announce();
    this.#end.resolve();
  }

  /** Work that ends by itself; a failure of ours ends the driving. */
  #run(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (!this.#parts.stop.aborted) this.#parts.sink(error);
      this.#finish();
    });
  }

  #prepare(job: Job): void {
    const preparation = new AbortController();
    this.#preparation = preparation;
    const signal = AbortSignal.any([this.#parts.stop, preparation.signal]);
    this.#run(async () => {
      const event = await resolveImages(job, this.#parts, signal).then(
        (images): JobEvent => ({ kind: "prepared", images }),
        (thrown: unknown): JobEvent => {
          this.#parts.stop.throwIfAborted();
          const reason = reasonOf(toStatusError(thrown));
          return { kind: "preparationFailed", reason };
        },
      );
      this.#preparation = undefined;
      if (preparation.signal.aborted) return;
      await this.#applyIfApt(event);
    });
  }

  #begin(step: Step): void {
    const { name } = step.specification;
    const task = new AbortController();
    this.#tasks.set(name, task);
    this.#run(async () => {
      try {
        await this.#attempt(step, task.signal);
      } finally {
        this.#tasks.delete(name);
        this.#live.delete(name);
      }
      this.#drive(); // it may be ready for another one
    });
  }

  async #attempt(step: Step, cancel: AbortSignal): Promise<void> {
    const { queue, stop } = this.#parts;
    const signal = AbortSignal.any([stop, cancel]);
    if (step.state.kind === "ready" && step.state.after !== undefined) {
      await sleep(this.#delayMs(step), undefined, { signal }).catch(() => {}); // looked at below
    }
    stop.throwIfAborted();
    if (cancel.aborted && step.state.kind === "ready") return;
    const place =
      step.state.kind === "running" ? new AbortController().signal : signal;
    // What waits for a place is not kept waiting by us.
    const { isFull } = queue;
    const run = () =>
      this.#runAttempt(step, {
        cancel,
        dueMs: isFull ? Date.now() : readySince(step),
      });
    await queue
      .run(this.#record.job.tenant, run, place)
      .catch((error: unknown) => {
        stop.throwIfAborted();
        if (!cancel.aborted || this.#isRunning(step)) throw error;
      });
  }

  async #runAttempt(
    step: Step,
    { cancel, dueMs }: { cancel: AbortSignal; dueMs: number },
  ): Promise<void> {
    const { name } = step.specification;
    const { observer, stop, engine, settings } = this.#parts;
    const isResumed = step.state.kind === "running";
    const begun = isResumed
      ? Promise.resolve(true)
      : this.#applyIfApt({ kind: "attemptStarted", step: name });
    begun.catch(() => {}); // it is looked at below
    const startedMs = Date.now();
    const { job } = this.#record;
    const start = this.#startOf(step, job);
    const outcome =
      start === undefined
        ? unknownFate
        : await runAttempt(start, {
            engine,
            settings,
            metadata: this.#parts.metadataOf(job, step),
            onProgress: (progress) => this.#onProgress(step, progress),
            begun,
            onSent: () => observer.attemptSent(Date.now() - dueMs),
            cancel,
            stop,
          });
    if (!(await begun)) return;
    const durationMs = Date.now() - startedMs;
    observer.attemptEnded({ job, step: name, outcome, durationMs });
    this.#live.delete(name);
    await this.#apply({ kind: "attemptEnded", step: name, outcome }, stop);
  }

  /** Undefined for an attempt that we do not know how to find again. */
  #startOf(step: Step, job: Job): AttemptStart | undefined {
    const { specification, state, image } = step;
    if (state.kind === "running") {
      if (state.operation === undefined) return undefined;
      return { kind: "resume", specification, operation: state.operation };
    }
    if (image === undefined) return undefined;
    const run = job.pastRuns.length + 1;
    const salt = `${job.id}/${run}/${specification.name}/${step.attempts + 1}`;
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

  #onProgress(step: Step, { operation, isExecuting, streams }: Progress): void {
    const { name } = step.specification;
    const known = this.#live.get(name);
    const isNew = known === undefined;
    if (isNew || known.isExecuting !== isExecuting) {
      this.#live.set(name, { isExecuting, streams });
      this.#changes.announce();
    }
    if (isNew && step.state.kind !== "running") {
      // Nobody waits for it: without the name an attempt is only repeated.
      this.#applyIfApt({ kind: "operationNamed", step: name, operation }).catch(
        (error: unknown) => {
          if (!this.#parts.stop.aborted) this.#parts.sink(error);
        },
      );
    }
  }

  /** False if the job is in no state for it any more: it was cancelled. */
  async #applyIfApt(event: JobEvent): Promise<boolean> {
    try {
      await this.#apply(event, this.#parts.stop);
      return true;
    } catch (thrown) {
      const { code } = toStatusError(thrown);
      if (code !== Code.FailedPrecondition) throw thrown;
      return false;
    }
  }

  #isRunning({ specification }: Step): boolean {
    return this.#record.job.steps.some(
      (step) =>
        step.specification.name === specification.name &&
        step.state.kind === "running",
    );
  }

  #delayMs({ attempts }: Step): number {
    const { retryDelayMs } = this.#parts;
    return Math.min(retryDelayMs * 2 ** (attempts - 1), maximumRetryDelayMs);
  }
}

const unknownFate = {
  kind: "broken",
  reason: {
    code: "ABORTED",
    text: "The service was restarted while the step was being handed to the engine",
  },
  mayHaveRun: true,
} as const;

function readySince({ state }: Step): number {
  return state.kind === "ready" ? state.since : Date.now();
}
