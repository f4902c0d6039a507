import type { ResolvedContainerImage } from "./container.js";
import type { Reason } from "./reason.js";
import type { StepResult } from "./step.js";

/** How an attempt of a step ended. */
export type AttemptOutcome =
  /** Its program ended, whatever its exit code. */
  | { readonly kind: "ended"; readonly result: StepResult }
  /** It was stopped at its timeout. */
  | { readonly kind: "timedOut"; readonly result: StepResult | undefined }
  /** It was stopped since the job is being cancelled. */
  | { readonly kind: "cancelled"; readonly result: StepResult | undefined }
  /** It can never succeed: the request is wrong, or not allowed. */
  | { readonly kind: "refused"; readonly reason: Reason }
  /**
   * The infrastructure failed. `mayHaveRun`: whether the program may have been
   * started, or even be running still.
   */
  | {
      readonly kind: "broken";
      readonly reason: Reason;
      readonly mayHaveRun: boolean;
    };

/** Something that happens to a job. */
export type JobEvent =
  /** What the images of its steps mean is known; by the step's name. */
  | {
      readonly kind: "prepared";
      readonly images: ReadonlyMap<string, ResolvedContainerImage>;
    }
  /** An image cannot be used. */
  | { readonly kind: "preparationFailed"; readonly reason: Reason }
  /** An attempt begins; written down before the engine is told. */
  | { readonly kind: "attemptStarted"; readonly step: string }
  /** The engine has told its name for the attempt. */
  | {
      readonly kind: "operationNamed";
      readonly step: string;
      readonly operation: string;
    }
  | {
      readonly kind: "attemptEnded";
      readonly step: string;
      readonly outcome: AttemptOutcome;
    }
  /** A user wants it to end. */
  | { readonly kind: "cancelRequested" }
  /** A user wants another run, from the steps on that did not succeed. */
  | { readonly kind: "retryRequested" }
  /** A user wants to hear no more of it; it goes on. */
  | { readonly kind: "hidden" };
