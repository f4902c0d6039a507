import { setMaxListeners } from "node:events";
import { Code, StatusError } from "../status/index.js";
import { SingleFlight } from "./single-flight.js";

/** A caller's part in a shared task. */
export interface Waiter<Progress> {
  /** Ends this caller's waiting; the task ends when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Told how far the task is; the latest state at once on joining. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Does the work of one key once, and reports as it goes. */
export type ReportingWork<T, Progress> = (
  signal: AbortSignal,
  report: (progress: Progress) => void,
) => Promise<T>;

/** Who is told of a task, and the last that they were told. */
interface Audience<Progress> {
  readonly listeners: Set<(progress: Progress) => void>;
  last: Progress | undefined;
}

/**
 * Single flight with progress, and with an end: whoever comes while the work
 * is under way is told how far it is, and `stop` ends all work and waits until
 * it has let go of everything.
 */
export class ReportingFlights<T, Progress> {
  readonly #flights = new SingleFlight<T>();
  readonly #audiences = new Map<string, Audience<Progress>>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();

  /** How many tasks are under way. */
  get size(): number {
    return this.#running.size;
  }

  /**
   * Joins the task of the key, or begins it. Throws what the work throws, or
   * the reason of the waiter's signal as a StatusError.
   */
  async run(
    key: string,
    { signal, onProgress }: Waiter<Progress>,
    work: ReportingWork<T, Progress>,
  ): Promise<T> {
    const result = this.#flights.run(
      key,
      (ended) => this.#begin(key, ended, work),
      signal,
    );
    const audience = this.#audiences.get(key);
    if (onProgress === undefined || audience === undefined) return result;
    audience.listeners.add(onProgress);
    if (audience.last !== undefined) onProgress(audience.last);
    try {
      return await result;
    } finally {
      audience.listeners.delete(onProgress);
    }
  }

  /** Aborts all tasks, with Unavailable, and waits until they have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort(new StatusError(Code.Unavailable, "Shutting down"));
    await Promise.allSettled(this.#running);
  }

  #begin(
    key: string,
    ended: AbortSignal,
    work: ReportingWork<T, Progress>,
  ): Promise<T> {
    const audience: Audience<Progress> = {
      listeners: new Set(),
      last: undefined,
    };
    this.#audiences.set(key, audience);
    const signal = AbortSignal.any([ended, this.#stopping.signal]);
    setMaxListeners(0, signal);
    const running = work(signal, (progress) => {
      audience.last = progress;
      for (const listener of audience.listeners) listener(progress);
    }).finally(() => {
      this.#running.delete(running);
      // A task that nobody waits for may be followed by another at once.
      if (this.#audiences.get(key) === audience) this.#audiences.delete(key);
    });
    this.#running.add(running);
    return running;
  }
}
