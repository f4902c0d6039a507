import { Code, StatusError } from "../../../lib/status/index.js";

/** The time until all services have said that they serve. */
export interface Start {
  /**
   * Resolves when every service serves; rejects with FailedPrecondition when
   * one of them ends before.
   */
  readonly done: Promise<void>;
  /** Takes a line of a service's log. */
  line(name: string, line: string): void;
  /** A service serves, as was found in another way. */
  serving(name: string): void;
  /** A service ended by itself. */
  ended(name: string, why: string): void;
}

/**
 * Watches a start. Lines of the very processes are asked, not addresses: at an
 * address that is taken somebody else would answer.
 */
export function createStart(names: readonly string[]): Start {
  const waiting = new Set(names);
  let resolve: () => void = () => {};
  let reject: (error: StatusError) => void = () => {};
  const done = new Promise<void>((...settle) => {
    [resolve, reject] = settle;
  });
  done.catch(() => {}); // whoever waits sees it
  const serving = (name: string) => {
    waiting.delete(name);
    if (waiting.size === 0) resolve();
  };
  return {
    done,
    line: (name, line) => {
      if (line.includes('"msg":"Serving')) serving(name);
    },
    serving,
    ended: (name, why) =>
      reject(
        new StatusError(
          Code.FailedPrecondition,
          `The ${name} ended at its start (${why}): its line above says why`,
        ),
      ),
  };
}
