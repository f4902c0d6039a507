import type { Job, JobState } from "../model/job.js";

/** A job as it was found, and which state of its record that is. */
export interface StoredJob {
  readonly job: Job;
  /** Grows with each update; the first is 1. */
  readonly version: number;
}

/** A submission that must count once, however often it is sent. */
export interface IdempotencyKey {
  /** As the client says it; it counts for its tenant. */
  readonly key: string;
  /** Digest of what was submitted: the same key must come with the same. */
  readonly fingerprint: string;
}

/** The submission that an idempotency key came with first. */
export interface KeyUse {
  readonly jobId: string;
  readonly fingerprint: string;
}

/** What came of a submission. */
export type Creation =
  | { readonly kind: "created" }
  /** Its key was used before. */
  | ({ readonly kind: "existing" } & KeyUse);

/** Which jobs to list, the newest first. */
export interface JobQuery {
  readonly tenant: string;
  readonly states?: readonly JobState["kind"][] | undefined;
  /** Exactly this name. */
  readonly name?: string | undefined;
  /** Jobs that have all of these labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Goes on behind the page that gave this. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** Part of a list. */
export interface JobPage {
  readonly jobs: readonly StoredJob[];
  /** Absent at the end. */
  readonly cursor?: string | undefined;
}

/** Where a stretch of a job's log comes from; see `logs/`. */
export interface LogSegment {
  readonly step: number;
  /** A retry of the job writes the log of its steps anew. */
  readonly run: number;
  readonly stream: "stdout" | "stderr";
  /** In bytes. */
  readonly from: number;
  readonly to: number;
  /** Of the lines that end in it. */
  readonly lines: number;
}

/**
 * Jobs that survive the process. Everything that is acknowledged is durable:
 * it is there after kill -9, and as far as the disk goes after a power cut.
 * One process at a time uses a store.
 *
 * Hidden jobs are given by get() and unfinished() only, since they still have
 * to be run; list() leaves them out. A record that cannot be read is set
 * aside, told to the error sink and counted, and is as if it were not there.
 *
 * Errors: Unavailable while the server is away or the disk does not take it;
 * Internal for what is our bug. After Unavailable a write may be in the store
 * or not; every write may be repeated as it was, and then counts once. Methods
 * may be called concurrently.
 */
export interface JobStore {
  /** Records that were set aside, in this run and in earlier ones. */
  readonly setAsideCount: number;
  /**
   * Adds a new job as version 1, unless its key was used before. Throws
   * AlreadyExists if another job has its id.
   */
  create(job: Job, idempotency?: IdempotencyKey): Promise<Creation>;
  /** What a tenant used a key for; undefined if for nothing (any more). */
  findKey(tenant: string, key: string): Promise<KeyUse | undefined>;
  get(id: string): Promise<StoredJob | undefined>;
  /**
   * Replaces a record; gives the new version. Its id, tenant, name, labels and
   * time of creation must be as they were. Throws Aborted if the stored
   * version is another, NotFound if there is none (any more).
   */
  update(job: Job, version: number): Promise<number>;
  /**
   * Removes a job with all that belongs to it: its log's order, and the
   * idempotency key that it came with; false if there was none.
   */
  delete(id: string): Promise<boolean>;
  /** Throws InvalidArgument for a cursor that no list gave. */
  list(query: JobQuery): Promise<JobPage>;
  /** How many jobs of a tenant have not ended. */
  countUnfinished(tenant: string): Promise<number>;
  /** Jobs that have not ended, the oldest first; for the start. */
  unfinished(): AsyncIterable<StoredJob>;
  /**
   * Deletes jobs that ended before `endedBefore` (ms since 1970), the first
   * to end first, at most `limit`. Gives how many.
   */
  removeEnded(endedBefore: number, limit: number): Promise<number>;
  /** The order of a job's log as far as it is settled; empty at first. */
  logOrder(id: string): Promise<readonly LogSegment[]>;
  /**
   * Adds to the order behind its first `from` segments, which are all that
   * there are unless this is a repetition; what stood behind them goes. Does
   * nothing if the job is gone. Throws Aborted if there are fewer.
   */
  appendLogOrder(
    id: string,
    from: number,
    segments: readonly LogSegment[],
  ): Promise<void>;
  /** What a reference meant when it was looked up last. */
  pin(reference: string): Promise<string | undefined>;
  /** Remembers what a reference means: the digest of a manifest. */
  setPin(reference: string, digest: string): Promise<void>;
  /** Throws Unavailable when the store cannot take anything now. */
  check(): Promise<void>;
  close(): Promise<void>;
}
