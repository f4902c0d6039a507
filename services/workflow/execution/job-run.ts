import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import { hasJobEnded, type Job } from "../model/job.js";
import type { JobEvent } from "../model/job-event.js";
import { reasonOf } from "../model/reason.js";
import type { Step } from "../model/step.js";
import type { JobSnapshot, LiveStep } from "../workflow.js";
import { Changes } from "./changes.js";
import type { JobRecord } from "./job-record.js";
import type { JobRunParts } from "./job-run-parts.js";
import { resolveImages } from "./resolve-images.js";
import { StepTurn, type TurnJob } from "./step-turn.js";

/**
 * Drives one job from where its record is to its end: prepares it, begins
 * every step that may begin, and writes down how it ended.
 */
export class JobRun {
  readonly #record: JobRecord;
  readonly #parts: JobRunParts;
  readonly #changes = new Changes();
  /** Under way, by step. */
  readonly #turns = new Map<string, StepTurn>();
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
    const live = new Map<string, LiveStep>();
    for (const [name, turn] of this.#turns) {
      if (turn.live !== undefined) live.set(name, turn.live);
    }
    return { job: this.#record.job, live };
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
          const isUnderWay = this.#turns.has(name);
          if (step.state.kind === "ready" && !isUnderWay) this.#begin(step);
        }
        break;
      case "cancelling":
        this.#cancelTurns(job);
        break;
      case "succeeded":
      case "failed":
      case "cancelled":
        this.#cancelTurns(job);
        this.#finish();
        this.#parts.observer.jobEnded(job);
    }
  }

  #cancelTurns({ id }: Job): void {
    const reason = new StatusError(
      Code.Cancelled,
      `Job "${id}" is being cancelled`,
    );
    this.#preparation?.abort(reason);
    for (const turn of this.#turns.values()) turn.cancel(reason);
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

  /** Gives a step its turn; the one behind a broken attempt is another. */
  #begin(step: Step): void {
    const { name } = step.specification;
    const turn = new StepTurn(this.#turnJob(), step, this.#parts);
    this.#turns.set(name, turn);
    this.#run(async () => {
      try {
        await turn.take();
      } finally {
        this.#turns.delete(name);
      }
      this.#drive(); // it may be ready for another one
    });
  }

  #turnJob(): TurnJob {
    return {
      current: () => this.#record.job,
      apply: (event) => this.#apply(event, this.#parts.stop),
      applyIfApt: (event) => this.#applyIfApt(event),
      announce: () => this.#changes.announce(),
    };
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
}
