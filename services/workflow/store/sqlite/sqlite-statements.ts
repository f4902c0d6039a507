import type { Database, Statement } from "better-sqlite3";
import type { KeyUse } from "../job-store.js";
import type { JobRow } from "../record/record-reader.js";

const columns = "jobs.id, jobs.version, jobs.position, jobs.record";

// JSON carries lists into a statement that is prepared once.
const filter = `jobs.hidden = 0
  AND (:states IS NULL OR jobs.state IN (SELECT value FROM json_each(:states)))
  AND (:name IS NULL OR jobs.name = :name)`;

/** A job's row as it is written. */
export interface JobParameters {
  readonly id: string;
  readonly tenant: string;
  readonly position: string;
  readonly state: string;
  readonly name: string | null;
  readonly hidden: number;
  readonly endedAt: number | null;
  readonly record: string;
}

/** What a list is asked for. */
export interface ListParameters {
  readonly tenant: string;
  readonly before: string;
  readonly limit: number;
  readonly name: string | null;
  /** JSON: a list of states. */
  readonly states: string | null;
}

/** Prepares all statements of a job store, each once. */
export function prepareStatements(database: Database) {
  const prepare = <Parameters extends unknown[], Row = undefined>(
    sql: string,
  ): Statement<Parameters, Row> => database.prepare<Parameters, Row>(sql);
  return {
    ...jobStatements(prepare),
    ...listStatements(prepare),
    ...otherStatements(prepare),
  };
}

/** All statements of a job store. */
export type SqliteStatements = ReturnType<typeof prepareStatements>;

type Prepare = <Parameters extends unknown[], Row = undefined>(
  sql: string,
) => Statement<Parameters, Row>;

function jobStatements(prepare: Prepare) {
  return {
    get: prepare<[string], JobRow>(`SELECT ${columns} FROM jobs WHERE id = ?`),
    version: prepare<[string], { version: number }>(
      "SELECT version FROM jobs WHERE id = ?",
    ),
    insert: prepare<[JobParameters]>(
      `INSERT INTO jobs
         (id, version, tenant, position, state, name, hidden, ended_at, record)
       VALUES (:id, 1, :tenant, :position, :state, :name, :hidden, :endedAt,
         :record)`,
    ),
    insertLabel: prepare<[string, string, string, string, string]>(
      `INSERT INTO labels (tenant, name, value, position, job)
       VALUES (?, ?, ?, ?, ?)`,
    ),
    update: prepare<[JobParameters & { version: number }]>(
      `UPDATE jobs SET version = version + 1, state = :state,
         hidden = :hidden, ended_at = :endedAt, record = :record
       WHERE id = :id AND version = :version`,
    ),
    delete: prepare<[string]>("DELETE FROM jobs WHERE id = ?"),
    deleteEnded: prepare<[number, number]>(
      `DELETE FROM jobs WHERE id IN (
         SELECT id FROM jobs WHERE ended_at < ? ORDER BY ended_at LIMIT ?)`,
    ),
    // The record goes from table to table: its bytes stay as they are.
    setAside: prepare<
      [{ id: string; version: number; reason: string; at: number }]
    >(
      `INSERT INTO bad_records
         SELECT id, version, tenant, record, :reason, :at FROM jobs
         WHERE id = :id AND version = :version`,
    ),
    countSetAside: prepare<[], { count: number }>(
      "SELECT count(*) count FROM bad_records",
    ),
  };
}

function listStatements(prepare: Prepare) {
  return {
    list: prepare<[ListParameters], JobRow>(
      `SELECT ${columns} FROM jobs
       WHERE tenant = :tenant AND position < :before AND ${filter}
       ORDER BY position DESC LIMIT :limit`,
    ),
    // CROSS JOIN: from the first label's jobs on, whatever SQLite thinks.
    listByLabels: prepare<
      [ListParameters & { label: string; value: string; others: string }],
      JobRow
    >(
      `SELECT ${columns} FROM labels CROSS JOIN jobs ON jobs.id = labels.job
       WHERE labels.tenant = :tenant AND labels.name = :label
         AND labels.value = :value AND labels.position < :before
         AND ${filter}
         AND NOT EXISTS (
           SELECT 1 FROM json_each(:others) AS wanted WHERE NOT EXISTS (
             SELECT 1 FROM labels AS other
             WHERE other.tenant = :tenant
               AND other.name = wanted.value ->> 0
               AND other.value = wanted.value ->> 1
               AND other.position = labels.position))
       ORDER BY labels.position DESC LIMIT :limit`,
    ),
    unfinished: prepare<[string, number], JobRow>(
      `SELECT ${columns} FROM jobs WHERE ended_at IS NULL AND position > ?
       ORDER BY position LIMIT ?`,
    ),
    countUnfinished: prepare<[string], { count: number }>(
      `SELECT count(*) count FROM jobs
       WHERE tenant = ? AND ended_at IS NULL`,
    ),
  };
}

function otherStatements(prepare: Prepare) {
  return {
    key: prepare<[string, string], KeyUse>(
      `SELECT job AS jobId, fingerprint FROM idempotency_keys
       WHERE tenant = ? AND key = ?`,
    ),
    insertKey: prepare<[string, string, string, string]>(
      `INSERT INTO idempotency_keys (tenant, key, fingerprint, job)
       VALUES (?, ?, ?, ?)`,
    ),
    logOrder: prepare<[string], LogSegmentRow>(
      `SELECT step, run, stream, "from", "to", lines FROM log_segments
       WHERE job = ? ORDER BY at`,
    ),
    countLogOrder: prepare<[string], { count: number }>(
      "SELECT count(*) count FROM log_segments WHERE job = ?",
    ),
    cutLogOrder: prepare<[string, number]>(
      "DELETE FROM log_segments WHERE job = ? AND at >= ?",
    ),
    insertLogSegment: prepare<[string, number, LogSegmentRow]>(
      `INSERT INTO log_segments (job, at, step, run, stream, "from", "to", lines)
       VALUES (?, ?, :step, :run, :stream, :from, :to, :lines)`,
    ),
    pin: prepare<[string], { digest: string }>(
      "SELECT digest FROM pins WHERE reference = ?",
    ),
    setPin: prepare<[string, string]>(
      "INSERT OR REPLACE INTO pins (reference, digest) VALUES (?, ?)",
    ),
    probe: prepare<[number]>("INSERT OR REPLACE INTO probe VALUES (1, ?)"),
  };
}

/** A stretch of a log as it lies in its table. */
export interface LogSegmentRow {
  readonly step: number;
  readonly run: number;
  readonly stream: "stdout" | "stderr";
  readonly from: number;
  readonly to: number;
  readonly lines: number;
}
