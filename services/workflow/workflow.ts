import type { Job } from "./model/job.js";
import type { StepSpecification } from "./model/step.js";
import type { IdempotencyKey, JobPage, JobQuery } from "./store/job-store.js";

/** A job to be made: checked in form by a face, in sense by submit(). */
export interface NewJob {
  readonly tenant: string;
  readonly name?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly steps: readonly StepSpecification[];
}

/** What is known of a running step without being written down. */
export interface LiveStep {
  /** Whether the engine has begun it; before, it is in the engine's queue. */
  readonly isExecuting: boolean;
  /**
   * ByteStream names of what it writes, once it executes; undefined where the
   * engine does not stream logs.
   */
  readonly streams?:
    | { readonly stdout: string; readonly stderr: string }
    | undefined;
}

/** A job as it is now. */
export interface JobSnapshot {
  readonly job: Job;
  /** Of the steps that are running, by name. */
  readonly live: ReadonlyMap<string, LiveStep>;
}

/** Whose job, and which. */
export interface JobKey {
  readonly tenant: string;
  readonly id: string;
}

/** A part of what a step wrote. */
export interface LogPosition {
  /** The step's name. */
  readonly step: string;
  readonly stream: "stdout" | "stderr";
  /** Of the first byte. */
  readonly offset: number;
}

/**
 * Jobs: submits, follows, stops them. A job of another tenant is as if it did
 * not exist, and so is a hidden one: NotFound. All methods throw Unavailable
 * while the store is away.
 */
export interface Workflow {
  /**
   * Writes a job down, and begins it. Once this returns the job survives.
   * `isNew` is false where the key was used for this very job before. Throws
   * InvalidArgument for a graph that makes no sense, FailedPrecondition for a
   * key that was used for another, ResourceExhausted when the tenant has too
   * many, PermissionDenied for an image that policy forbids.
   */
  submit(
    job: NewJob,
    idempotency?: IdempotencyKey,
  ): Promise<{ readonly snapshot: JobSnapshot; readonly isNew: boolean }>;
  get(key: JobKey): Promise<JobSnapshot>;
  list(query: JobQuery): Promise<JobPage>;
  /** Throws FailedPrecondition if it has ended. */
  cancel(key: JobKey): Promise<JobSnapshot>;
  /** Throws FailedPrecondition unless it failed or was cancelled. */
  retry(key: JobKey): Promise<JobSnapshot>;
  /** Removes an ended job; throws FailedPrecondition for another. */
  delete(key: JobKey): Promise<void>;
  /** Removes it now or, running, from sight: it is not stopped. */
  forget(key: JobKey): Promise<void>;
  /**
   * The job now and whenever it changed; ends behind the state in which it
   * has ended. A reader that is slow misses states in between, never the last.
   */
  watch(key: JobKey, signal: AbortSignal): AsyncIterable<JobSnapshot>;
  /**
   * What a step wrote from an offset on; ends when it has ended and all was
   * given, and is empty for one that wrote nothing or never ran. While the
   * step runs, and streams, it waits for more if `follow` is set, and
   * otherwise gives what is there. Throws NotFound for an unknown step, and
   * for bytes that are no longer in CAS.
   */
  readLog(
    key: JobKey,
    position: LogPosition,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  /** What readLog() reads, as far as it is known; undefined while it runs. */
  logSize(
    key: JobKey,
    position: Omit<LogPosition, "offset">,
  ): Promise<number | undefined>;
  /**
   * The lines of the whole job from an index on, in an order that stays: of
   * steps as they were written, of a step's streams as they were first asked
   * for, and so at last of what it wrote at once, standard output first. At
   * most `limit`; behind a running step's end none follow of the next.
   */
  logLines(
    key: JobKey,
    range: { readonly index: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  /** The content of an output file, or of a file in an output directory. */
  readOutput(
    key: JobKey,
    output: {
      readonly step: string;
      readonly name: string;
      /** Beneath the directory; "" for the output itself. */
      readonly path: string;
    },
    signal: AbortSignal,
  ): Promise<OutputContent>;
}

/** A file that a step left, or a directory's listing. */
export type OutputContent =
  | {
      readonly kind: "file";
      readonly sizeBytes: number;
      readonly isExecutable: boolean;
      /** Throws OutOfRange beyond the end. */
      open(offset: number): AsyncIterable<Uint8Array>;
    }
  | {
      readonly kind: "directory";
      readonly entries: readonly {
        readonly name: string;
        readonly kind: "file" | "directory" | "symlink";
        /** Of files. */
        readonly sizeBytes?: number;
        /** Of symlinks. */
        readonly target?: string;
      }[];
    };
