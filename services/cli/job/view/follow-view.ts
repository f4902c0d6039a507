import type { JobMessage } from "../../../../lib/job-api/index.js";

/** Shows a job that is followed. */
export interface FollowView {
  /** Shows what happened; waits while the output takes nothing. */
  message(message: JobMessage): Promise<void>;
  /** Says something of ours. */
  note(text: string): Promise<void>;
  /** Shows what was held back. Must be called in any case. */
  end(): Promise<void>;
}
