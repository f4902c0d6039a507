import type { Job } from "../model/job.js";
import type { AttemptOutcome } from "../model/job-event.js";

/** Told what happens to jobs, for metrics and traces. Must not throw. */
export interface JobObserver {
  /** A step's action is handed to the engine, so long after it could be. */
  attemptSent(delayMs: number): void;
  attemptEnded(outcome: AttemptOutcome, durationMs: number): void;
  /** A run of a job has ended. */
  jobEnded(job: Job): void;
}
