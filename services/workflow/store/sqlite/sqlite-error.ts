import {
  Code,
  errno,
  StatusError,
  toStatusError,
} from "../../../../lib/status/index.js";

/**
 * SQLite's primary result codes, each with the code that tells who must act.
 * What is not listed is our bug: Internal.
 */
const codeByResult: Readonly<Record<string, Code>> = {
  // The disk does not take it now; it may when someone has made room.
  SQLITE_FULL: Code.Unavailable,
  SQLITE_IOERR: Code.Unavailable,
  SQLITE_READONLY: Code.Unavailable,
  SQLITE_CANTOPEN: Code.Unavailable,
  SQLITE_NOMEM: Code.Unavailable,
  SQLITE_BUSY: Code.Unavailable,
  SQLITE_LOCKED: Code.Unavailable,
  // The bytes on disk are not what was written.
  SQLITE_CORRUPT: Code.DataLoss,
  SQLITE_NOTADB: Code.DataLoss,
  // A record beyond SQLite's limit of 1 GB.
  SQLITE_TOOBIG: Code.ResourceExhausted,
};

/** SQLite's primary result code: of "SQLITE_IOERR_WRITE" "SQLITE_IOERR". */
export function sqliteResult(thrown: unknown): string | undefined {
  const code = errno(thrown);
  if (code?.startsWith("SQLITE_") !== true) return undefined;
  return code.split("_", 2).join("_");
}

/** Turns what SQLite threw into a StatusError; others as toStatusError(). */
export function statusFromSqliteError(thrown: unknown): StatusError {
  const status = toStatusError(thrown);
  const result = sqliteResult(thrown);
  if (result === undefined) return status;
  return new StatusError(
    codeByResult[result] ?? Code.Internal,
    `Failed to use the job store: ${status.message}`,
    { cause: thrown },
  );
}
