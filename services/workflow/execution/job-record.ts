import { setTimeout as sleep } from "node:timers/promises";
import { Code, toStatusError } from "../../../lib/status/index.js";
import type { Job } from "../model/job.js";
import type { JobEvent } from "../model/job-event.js";
import { type TransitionLimits, transition } from "../model/transition.js";
import type { JobStore, StoredJob } from "../store/job-store.js";

/** Between attempts to write, while the store is away. */
const retryDelayMs = 500;

/** How an event is written down. */
export interface RecordOptions {
  /**
   * Ends the waiting for a store that is away; unset: no waiting, it throws
   * Unavailable at once.
   */
  readonly patience?: AbortSignal | undefined;
}

/**
 * A job and its record in the store: what is seen here was written down. Its
 * events come one after the other.
 */
export class JobRecord {
  readonly #store: JobStore;
  readonly #limits: TransitionLimits;
  #job: Job;
  #version: number;
  /** Resolves when all events so far are written or refused. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: JobStore, limits: TransitionLimits, stored: StoredJob) {
    this.#store = store;
    this.#limits = limits;
    this.#job = stored.job;
    this.#version = stored.version;
  }

  /** As it was written last. */
  get job(): Job {
    return this.#job;
  }

  /**
   * Writes down what follows from an event; gives the job then. Throws what
   * transition() throws, and what the store does.
   */
  apply(event: JobEvent, options: RecordOptions = {}): Promise<Job> {
    const applied = this.#last.then(() => this.#apply(event, options));
    this.#last = applied.catch(() => {}); // its caller has it
    return applied;
  }

  async #apply(event: JobEvent, { patience }: RecordOptions): Promise<Job> {
    const limits = this.#limits;
    const job = transition(this.#job, { event, at: Date.now(), limits });
    for (;;) {
      try {
        this.#version = await this.#store.update(job, this.#version);
        this.#job = job;
        return job;
      } catch (thrown) {
        const error = toStatusError(thrown);
        if (error.code !== Code.Unavailable || patience === undefined) {
          throw error;
        }
        await sleep(retryDelayMs, undefined, { signal: patience });
      }
    }
  }
}
