import type { Job } from "../model/job.js";
import type { AttemptOutcome } from "../model/job-event.js";

/** An attempt of a step that has ended. */
export interface EndedAttempt {
  readonly job: Job;
  /** The step's name. */
  readonly step: string;
  readonly outcome: AttemptOutcome;
  /** The engine's queue included. */
  readonly durationMs: number;
}

/** Told what happens to jobs, for metrics and traces. Must not throw. */
export interface JobObserver {
  /**
   * A step's action is handed to the engine, so long after it could be: since
   * its needs were met and it had a place.
   */
  attemptSent(delayMs: number): void;
  attemptEnded(attempt: EndedAttempt): void;
  /** A run of a job has ended. */
  jobEnded(job: Job): void;
}
