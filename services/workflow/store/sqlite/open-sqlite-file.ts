import { chmodSync, closeSync, openSync } from "node:fs";
import Database from "better-sqlite3";
import {
  Code,
  errno,
  StatusError,
  wrap,
} from "../../../../lib/status/index.js";
import { sqliteResult, statusFromSqliteError } from "./sqlite-error.js";
import { migrate } from "./sqlite-migrations.js";

/**
 * Opens or makes the file of a job store, for its owner alone, and holds it
 * against other processes until it is closed or the process ends. ":memory:"
 * is one that is gone when it is closed. Throws FailedPrecondition if another
 * process has it, or if it is none of ours.
 */
export function openSqliteFile(path: string): Database.Database {
  if (path !== ":memory:") keepPrivate(path);
  let database: Database.Database | undefined;
  try {
    // Whoever has it keeps it: there is nothing to wait for.
    database = new Database(path, { timeout: 0 });
    // Before the first access in WAL mode: the lock is then held throughout.
    database.pragma("locking_mode = EXCLUSIVE");
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    database.pragma("foreign_keys = ON");
    // What a burst left behind is given back at the next checkpoint.
    database.pragma(`journal_size_limit = ${64 * 2 ** 20}`);
    migrate(database);
    return database;
  } catch (error) {
    database?.close();
    if (sqliteResult(error) === "SQLITE_BUSY") {
      throw new StatusError(
        Code.FailedPrecondition,
        `Job store "${path}" is in use by another process: one at a time may use it`,
        { cause: error },
      );
    }
    throw wrap(
      statusFromSqliteError(error),
      `Failed to open job store "${path}"`,
    );
  }
}

/**
 * Makes the file before SQLite would, with the mode that SQLite then gives to
 * its log too. One that exists is not opened: closing it would take away the
 * locks that this process may have on it (fcntl(2)).
 */
function keepPrivate(path: string): void {
  try {
    try {
      closeSync(openSync(path, "wx", 0o600));
    } catch (error) {
      if (errno(error) !== "EEXIST") throw error;
      chmodSync(path, 0o600);
    }
  } catch (error) {
    throw wrap(error, `Failed to open job store "${path}"`);
  }
}
