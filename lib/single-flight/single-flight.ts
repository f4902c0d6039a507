import { setMaxListeners } from "node:events";
import { Code, StatusError, toStatusError } from "../status/index.js";

interface Flight<Value> {
  readonly result: Promise<Value>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Lets callers who want the same thing at the same time share one piece of
 * work. The work belongs to all of them: one who gives up leaves alone and
 * disturbs nobody, and when nobody waits any more the work's signal is
 * aborted. A result is not kept: who comes after the end begins anew.
 */
export class SingleFlight<Value> {
  readonly #flights = new Map<string, Flight<Value>>();

  /** How many different pieces of work are under way. */
  get size(): number {
    return this.#flights.size;
  }

  /**
   * Joins the work under this key, or begins it. Throws what the work throws,
   * or, when the caller's own signal is aborted first, that signal's reason
   * as a StatusError.
   */
  run(
    key: string,
    work: (signal: AbortSignal) => Promise<Value>,
    signal?: AbortSignal,
  ): Promise<Value> {
    if (signal?.aborted === true) {
      return Promise.reject(toStatusError(signal.reason));
    }
    const flight = this.#flights.get(key) ?? this.#begin(key, work);
    flight.waiting += 1;
    return this.#wait(key, flight, signal);
  }

  #begin(
    key: string,
    work: (signal: AbortSignal) => Promise<Value>,
  ): Flight<Value> {
    const controller = new AbortController();
    // Each call that the work makes waits for it: no leak, as Node would think.
    setMaxListeners(0, controller.signal);
    // What work throws at once must reject too, not escape from here.
    const result = (async () => work(controller.signal))();
    const flight: Flight<Value> = { result, controller, waiting: 0 };
    this.#flights.set(key, flight);
    const forget = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    // Also keeps a failure that nobody waits for any more from being fatal.
    result.then(forget, forget);
    return flight;
  }

  #wait(
    key: string,
    flight: Flight<Value>,
    signal: AbortSignal | undefined,
  ): Promise<Value> {
    if (signal === undefined) return flight.result;
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(toStatusError(signal.reason));
        flight.waiting -= 1;
        if (flight.waiting > 0) return;
        // Taken off the map first: who comes now must not join work that is
        // about to fail with somebody else's cancellation.
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.controller.abort(
          new StatusError(Code.Cancelled, "Nobody waits for the result"),
        );
      };
      signal.addEventListener("abort", leave, { once: true });
      const stay = () => signal.removeEventListener("abort", leave);
      flight.result.finally(stay).then(resolve, reject);
    });
  }
}
