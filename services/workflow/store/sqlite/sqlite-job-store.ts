import type { Database } from "better-sqlite3";
import type { ErrorSink } from "../../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../../lib/status/index.js";
import type { Job } from "../../model/job.js";
import type {
  Creation,
  IdempotencyKey,
  JobPage,
  JobQuery,
  JobStore,
  KeyUse,
  LogSegment,
  StoredJob,
} from "../job-store.js";
import { type Rows, readAll, readPage } from "../record/read-rows.js";
import { type JobRow, RecordReader } from "../record/record-reader.js";
import { writeRecord } from "../record/stored-form.js";
import { GroupCommit } from "./group-commit.js";
import { openSqliteFile } from "./open-sqlite-file.js";
import { statusFromSqliteError } from "./sqlite-error.js";
import {
  prepareStatements,
  type SqliteStatements,
} from "./sqlite-statements.js";
import { SqliteWrites } from "./sqlite-writes.js";

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
  readonly #reader: RecordReader;

  /** Throws FailedPrecondition if another process has the file. */
  constructor({ path, sink }: SqliteJobStoreOptions) {
    this.#database = openSqliteFile(path);
    this.#commits = new GroupCommit(this.#database);
    try {
      this.#statements = prepareStatements(this.#database);
      this.#writes = new SqliteWrites(this.#statements);
      this.#reader = new RecordReader(
        sink,
        this.#statements.countSetAside.get()?.count ?? 0,
        (row, reason) => this.#write(() => this.#writes.setAside(row, reason)),
      );
    } catch (error) {
      this.#database.close();
      throw statusFromSqliteError(error);
    }
  }

  get setAsideCount(): number {
    return this.#reader.setAsideCount;
  }

  create(job: Job, idempotency?: IdempotencyKey): Promise<Creation> {
    const record = writeRecord(job);
    return this.#write(() => this.#writes.create(job, record, idempotency));
  }

  async findKey(tenant: string, key: string): Promise<KeyUse | undefined> {
    return this.#read(() => this.#statements.key.get(tenant, key));
  }

  async get(id: string): Promise<StoredJob | undefined> {
    const row = this.#read(() => this.#statements.get.get(id));
    return row === undefined ? undefined : this.#reader.read(row);
  }

  update(job: Job, version: number): Promise<number> {
    const record = writeRecord(job);
    return this.#write(() => this.#writes.update(job, record, version));
  }

  delete(id: string): Promise<boolean> {
    return this.#write(() => this.#statements.delete.run(id).changes > 0);
  }

  list(query: JobQuery): Promise<JobPage> {
    return readPage(
      query,
      async (before, count) =>
        rowsOf(
          this.#read(() => this.#page(query, before, count)),
          count,
        ),
      this.#reader,
    );
  }

  async countUnfinished(tenant: string): Promise<number> {
    const row = this.#read(() => this.#statements.countUnfinished.get(tenant));
    return row?.count ?? 0;
  }

  unfinished(): AsyncIterable<StoredJob> {
    const { unfinished } = this.#statements;
    return readAll(async (after) => {
      const rows = this.#read(() => unfinished.all(after, rowsAtOnce));
      return rowsOf(rows, rowsAtOnce);
    }, this.#reader);
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

function rowsOf(rows: readonly JobRow[], asked: number): Rows {
  const next = rows.length < asked ? undefined : rows.at(-1)?.position;
  return { rows, next };
}
