import type { Database } from "better-sqlite3";
import { Code, StatusError } from "../../../../lib/status/index.js";

/** "brth" in ASCII, as PRAGMA application_id: tells our files from others'. */
const applicationId = 0x62727468;

/**
 * What brings a file from one version to the next: the first makes an empty
 * one version 1. None is ever changed once it was released.
 *
 * Times are milliseconds since 1970. `position` sorts by creation; see
 * list-position.ts.
 */
const migrations: readonly string[] = [
  `CREATE TABLE jobs (
     id TEXT PRIMARY KEY,
     version INTEGER NOT NULL,
     tenant TEXT NOT NULL,
     position TEXT NOT NULL,
     state TEXT NOT NULL,
     name TEXT,
     hidden INTEGER NOT NULL,
     ended_at REAL,
     record TEXT NOT NULL
   ) STRICT;
   CREATE INDEX jobs_listed ON jobs (tenant, position, state, name)
     WHERE hidden = 0;
   CREATE INDEX jobs_unfinished ON jobs (position) WHERE ended_at IS NULL;
   CREATE INDEX jobs_unfinished_of ON jobs (tenant) WHERE ended_at IS NULL;
   CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;

   CREATE TABLE labels (
     tenant TEXT NOT NULL,
     name TEXT NOT NULL,
     value TEXT NOT NULL,
     position TEXT NOT NULL,
     job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
     PRIMARY KEY (tenant, name, value, position)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX labels_of ON labels (job);

   CREATE TABLE idempotency_keys (
     tenant TEXT NOT NULL,
     key TEXT NOT NULL,
     fingerprint TEXT NOT NULL,
     job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
     PRIMARY KEY (tenant, key)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX idempotency_keys_of ON idempotency_keys (job);

   CREATE TABLE log_segments (
     job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
     at INTEGER NOT NULL,
     step INTEGER NOT NULL,
     run INTEGER NOT NULL,
     stream TEXT NOT NULL,
     "from" INTEGER NOT NULL,
     "to" INTEGER NOT NULL,
     lines INTEGER NOT NULL,
     PRIMARY KEY (job, at)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE pins (
     reference TEXT PRIMARY KEY,
     digest TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE bad_records (
     id TEXT NOT NULL,
     version INTEGER NOT NULL,
     tenant TEXT NOT NULL,
     record ANY NOT NULL,
     reason TEXT NOT NULL,
     set_aside_at REAL NOT NULL
   ) STRICT;

   CREATE TABLE probe (id INTEGER PRIMARY KEY, at REAL NOT NULL) STRICT;`,
];

/**
 * Brings a file to the present version, each step in a transaction. Throws
 * FailedPrecondition for a file of another program or of a newer version, and
 * leaves it as it is.
 */
export function migrate(database: Database, steps = migrations): void {
  const version = Number(database.pragma("user_version", { simple: true }));
  const owner = database.pragma("application_id", { simple: true });
  const { count } = database
    .prepare<[], { count: number }>("SELECT count(*) count FROM sqlite_schema")
    .get() ?? { count: 0 };
  if (owner !== applicationId && (version !== 0 || count !== 0)) {
    throw new StatusError(
      Code.FailedPrecondition,
      "It holds the data of another program",
    );
  }
  if (version > steps.length) {
    throw new StatusError(
      Code.FailedPrecondition,
      `It was written by a newer version of berth: its version is ${version}, and this one knows up to ${steps.length}`,
    );
  }
  steps.slice(version).forEach((step, index) => {
    const apply = database.transaction(() => {
      database.exec(step);
      database.pragma(`application_id = ${applicationId}`);
      database.pragma(`user_version = ${version + index + 1}`);
    });
    apply.immediate();
  });
}
