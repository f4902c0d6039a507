import { Code, StatusError } from "../../../../lib/status/index.js";
import type { Job } from "../../model/job.js";

/** Behind every position. */
export const endPosition = "~";

/**
 * Where a job stands among others: a text that sorts by bytes as creation
 * times do, and by id among those of one millisecond.
 */
export function listPosition({ createdAt, id }: Job): string {
  const time = Math.min(Math.max(0, Math.trunc(createdAt)), 9_999_999_999_999);
  return `${String(time).padStart(13, "0")}${id}`;
}

/** What a client is given to go on behind a position. */
export function cursorOf(position: string): string {
  return Buffer.from(position).toString("base64url");
}

/** Throws InvalidArgument for what cursorOf cannot have made. */
export function parseCursor(cursor: string): string {
  const position = Buffer.from(cursor, "base64url").toString("latin1");
  if (
    /^\d{13}[0-9A-Fa-f-]{36}$/.test(position) &&
    cursorOf(position) === cursor
  ) {
    return position;
  }
  throw new StatusError(
    Code.InvalidArgument,
    "The cursor must be one that a list of jobs gave",
  );
}
