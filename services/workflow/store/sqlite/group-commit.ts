import type { Database } from "better-sqlite3";
import { StatusError } from "../../../../lib/status/index.js";

/** Bounds how long other work waits for a commit: some 20 ms. */
const maximumWrites = 500;

interface Waiting {
  /** Runs the write; gives what to tell its caller once it is on disk. */
  readonly run: () => () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Commits writes that come at the same time in one transaction, so that they
 * wait for the disk once. None is acknowledged before the commit.
 */
export class GroupCommit {
  readonly #database: Database;
  readonly #waiting: Waiting[] = [];

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Runs a write with others. One that throws a StatusError must not have
   * changed anything; after any other error all of them are run again, each
   * in a transaction of its own.
   */
  write<Result>(write: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      const run = () => {
        const result = write();
        return () => resolve(result);
      };
      if (this.#waiting.length === 0) setImmediate(() => this.#commitSome());
      this.#waiting.push({ run, fail: reject });
    });
  }

  /** Commits all that waits. */
  drain(): void {
    while (this.#waiting.length > 0) this.#commitSome();
  }

  #commitSome(): void {
    const writes = this.#waiting.splice(0, maximumWrites);
    if (this.#waiting.length > 0) setImmediate(() => this.#commitSome());
    if (writes.length > 0) this.#commit(writes);
  }

  #commit(writes: readonly Waiting[]): void {
    try {
      this.#commitTogether(writes);
    } catch (error) {
      if (writes.length === 1) writes[0]?.fail(error);
      else for (const write of writes) this.#commit([write]);
    }
  }

  #commitTogether(writes: readonly Waiting[]): void {
    const all = this.#database.transaction(() =>
      writes.map(({ run, fail }) => {
        try {
          return run();
        } catch (error) {
          if (error instanceof StatusError) return () => fail(error);
          throw error;
        }
      }),
    );
    for (const tell of all.immediate()) tell();
  }
}
