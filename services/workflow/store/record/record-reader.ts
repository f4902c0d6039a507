import type { ErrorSink } from "../../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../../lib/status/index.js";
import type { StoredJob } from "../job-store.js";
import { readRecord } from "./stored-form.js";

/** A job's record as it lies in a store, and what of it is needed beside. */
export interface JobRow {
  readonly id: string;
  readonly version: number;
  /** See list-position.ts. */
  readonly position: string;
  readonly record: unknown;
}

/**
 * Moves a record of a version aside; false if it is not there any more, as
 * when another reader did so.
 */
export type SetAside = (
  row: Pick<JobRow, "id" | "version">,
  reason: string,
) => Promise<boolean>;

/** Reads records, and has those set aside that cannot be read. */
export class RecordReader {
  readonly #sink: ErrorSink;
  readonly #setAside: SetAside;
  #setAsideCount: number;

  /** `count`: how many have been set aside before. */
  constructor(sink: ErrorSink, count: number, setAside: SetAside) {
    this.#sink = sink;
    this.#setAside = setAside;
    this.#setAsideCount = count;
  }

  get setAsideCount(): number {
    return this.#setAsideCount;
  }

  /** The job of a row; undefined for one that cannot be read. */
  async read(row: JobRow): Promise<StoredJob | undefined> {
    const { id, version } = row;
    const content = readRecord(row.record, id);
    if (content.kind === "job") return { job: content.job, version };
    try {
      if (await this.#setAside(row, content.reason)) {
        this.#setAsideCount += 1;
        this.#sink(
          new StatusError(
            Code.DataLoss,
            `Job "${id}" was set aside, since its record cannot be read: ${content.reason}`,
          ),
        );
      }
    } catch (error) {
      this.#sink(error); // it is found again, and told again
    }
    return undefined;
  }
}
