import type { Database } from "better-sqlite3";
import type { ErrorSink } from "../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { Job } from "../model/job.js";
import { badRecord } from "./bad-record.js";
import { GroupCommit } from "./group-commit.js";
import type {
  Creation,
  IdempotencyKey,
  JobPage,
  JobQuery,
  JobStore,
  LogSegment,
  StoredJob,
} from "./job-store.js";
import { cursorOf, endPosition, parseCursor } from "./list-position.js";
import { openSqliteFile } from "./open-sqlite-file.js";
import { statusFromSqliteError } from "./sqlite-error.js";
import {
  type JobRow,
  prepareStatements,
  type SqliteStatements,
} from "./sqlite-statements.js";
import { SqliteWrites } from "./sqlite-writes.js";
import { readRecord, writeRecord } from "./stored-form.js";

/** How many rows are read at once where all are. */
const rowsAtOnce = 100;

/** What a job store in a file is opened with. */
export interface SqliteJobStoreOptions {
  /** The file, made if missing; ":memory:" for one that is gone in the end. */
  readonly path: string;
  /** Told of records that are set aside. */
  readonly sink: ErrorSink;
}

/**
 * Jobs in one file of SQLite, which one process at a time can open. Writes
 * that come in one turn wait for the disk together.
 */
export class SqliteJobStore implements JobStore {
  readonly #database: Database;
  readonly #statements: SqliteStatements;
  readonly #writes: SqliteWrites;
  readonly #commits: GroupCommit;
  readonly #sink: ErrorSink;
  #setAsideCount: number;

  /** Throws FailedPrecondition if another process has the file. */
  constructor({ path, sink }: SqliteJobStoreOptions) {
    this.#sink = sink;
    this.#database = openSqliteFile(path);
    this.#commits = new GroupCommit(this.#database);
    try {
      this.#statements = prepareStatements(this.#database);
      this.#setAsideCount = this.#statements.countSetAside.get()?.count ?? 0;
    } catch (error) {
      this.#database.close();
      throw statusFromSqliteError(error);
    }
    this.#writes = new SqliteWrites(this.#statements);
  }

  get setAsideCount(): number {
    return this.#setAsideCount;
  }

  create(job: Job, idempotency?: IdempotencyKey): Promise<Creation> {
    const record = writeRecord(job);
    return this.#write(() => this.#writes.create(job, record, idempotency));
  }

  async get(id: string): Promise<StoredJob | undefined> {
    const row = this.#read(() => this.#statements.get.get(id));
    return row === undefined ? undefined : this.#decode(row);
  }

  update(job: Job, version: number): Promise<number> {
    const record = writeRecord(job);
    return this.#write(() => this.#writes.update(job, record, version));
  }

  delete(id: string): Promise<boolean> {
    return this.#write(() => this.#statements.delete.run(id).changes > 0);
  }

  async list(query: JobQuery): Promise<JobPage> {
    const { cursor, limit } = query;
    let before = cursor === undefined ? endPosition : parseCursor(cursor);
    const jobs: StoredJob[] = [];
    for (;;) {
      const wanted = limit - jobs.length + 1; // one more tells of a next page
      const rows = this.#read(() => this.#page(query, before, wanted));
      for (const row of rows) {
        if (jobs.length === limit) return { jobs, cursor: cursorOf(before) };
        const stored = await this.#decode(row);
        before = row.position;
        if (stored !== undefined) jobs.push(stored);
      }
      if (rows.length < wanted) return { jobs };
    }
  }

  async countUnfinished(tenant: string): Promise<number> {
    const row = this.#read(() => this.#statements.countUnfinished.get(tenant));
    return row?.count ?? 0;
  }

  async *unfinished(): AsyncIterable<StoredJob> {
    let after = "";
    for (;;) {
      const rows = this.#read(() =>
        this.#statements.unfinished.all(after, rowsAtOnce),
      );
      for (const row of rows) {
        const stored = await this.#decode(row);
        if (stored !== undefined) yield stored;
        after = row.position;
      }
      if (rows.length < rowsAtOnce) return;
    }
  }

  removeEnded(endedBefore: number, limit: number): Promise<number> {
    return this.#write(
      () => this.#statements.deleteEnded.run(endedBefore, limit).changes,
    );
  }

  async logOrder(id: string): Promise<readonly LogSegment[]> {
    return this.#read(() => this.#statements.logOrder.all(id));
  }

  appendLogOrder(
    id: string,
    from: number,
    segments: readonly LogSegment[],
  ): Promise<void> {
    return this.#write(() => this.#writes.appendLogOrder(id, from, segments));
  }

  async pin(reference: string): Promise<string | undefined> {
    return this.#read(() => this.#statements.pin.get(reference))?.digest;
  }

  async setPin(reference: string, digest: string): Promise<void> {
    await this.#write(() => this.#statements.setPin.run(reference, digest));
  }

  async check(): Promise<void> {
    await this.#write(() => this.#statements.probe.run(Date.now()));
  }

  async close(): Promise<void> {
    if (!this.#database.open) return;
    this.#commits.drain();
    this.#database.close();
  }

  #page(query: JobQuery, before: string, limit: number): JobRow[] {
    const { tenant, name = null, labels = {} } = query;
    const states = query.states ? JSON.stringify(query.states) : null;
    const parameters = { tenant, before, limit, name, states };
    const [first, ...others] = Object.entries(labels);
    if (first === undefined) return this.#statements.list.all(parameters);
    const [label, value] = first;
    return this.#statements.listByLabels.all({
      ...parameters,
      ...{ label, value, others: JSON.stringify(others) },
    });
  }

  /** The job of a row; undefined for one that cannot be read, from now on. */
  async #decode(row: JobRow): Promise<StoredJob | undefined> {
    const content = readRecord(row.record, row.id);
    if (content.kind === "job") {
      return { job: content.job, version: row.version };
    }
    try {
      const { id, version } = row;
      const isMoved = await this.#write(() =>
        this.#writes.setAside(id, version, content.reason),
      );
      if (!isMoved) return undefined; // by another reader
      this.#setAsideCount += 1;
      this.#sink(badRecord(id, content.reason));
    } catch (error) {
      this.#sink(error); // found again, and told again, by the next reader
    }
    return undefined;
  }

  #read<Result>(read: () => Result): Result {
    this.#needOpen();
    try {
      return read();
    } catch (error) {
      throw statusFromSqliteError(error);
    }
  }

  async #write<Result>(write: () => Result): Promise<Result> {
    this.#needOpen();
    try {
      return await this.#commits.write(write);
    } catch (error) {
      throw statusFromSqliteError(error);
    }
  }

  #needOpen(): void {
    if (this.#database.open) return;
    throw new StatusError(Code.Unavailable, "The job store is closed");
  }
}
