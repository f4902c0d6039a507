import type { JobPage, JobQuery, StoredJob } from "../job-store.js";
import { cursorOf, endPosition, parseCursor } from "./list-position.js";
import type { JobRow, RecordReader } from "./record-reader.js";

/** Some rows in order, and from which position more are to be asked for. */
export interface Rows {
  readonly rows: readonly JobRow[];
  /** Absent at the end. */
  readonly next: string | undefined;
}

/**
 * Makes a page of what a store gives when it is asked for so many rows before
 * a position, the newest first. Throws InvalidArgument for a wrong cursor.
 */
export async function readPage(
  { cursor, limit }: Pick<JobQuery, "cursor" | "limit">,
  readRows: (before: string, count: number) => Promise<Rows>,
  reader: RecordReader,
): Promise<JobPage> {
  let last = cursor === undefined ? endPosition : parseCursor(cursor);
  const jobs: StoredJob[] = [];
  for (let next: string | undefined = last; next !== undefined; ) {
    // One more than is wanted tells whether there is another page.
    const found = await readRows(next, limit - jobs.length + 1);
    for (const row of found.rows) {
      if (jobs.length === limit) return { jobs, cursor: cursorOf(last) };
      const stored = await reader.read(row);
      if (stored !== undefined) jobs.push(stored);
      last = row.position;
    }
    next = found.next;
  }
  return { jobs };
}

/** All that a store gives when it is asked for rows after a position. */
export async function* readAll(
  readRows: (after: string) => Promise<Rows>,
  reader: RecordReader,
): AsyncIterable<StoredJob> {
  for (let next: string | undefined = ""; next !== undefined; ) {
    const found: Rows = await readRows(next);
    for (const row of found.rows) {
      const stored = await reader.read(row);
      if (stored !== undefined) yield stored;
    }
    next = found.next;
  }
}
