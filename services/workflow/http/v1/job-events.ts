import type { JobMessage } from "../../../../lib/job-api/index.js";
import type { Incarnation } from "./log-cursor.js";

/** A part of a step's log, to be sent. */
export type LogMessage = JobMessage & { readonly kind: "log" };

/** A step of a job, by its place among them. */
export interface LogPlace {
  readonly step: number;
  readonly incarnation: Incarnation;
}

/** What an event stream is made of. */
export type JobEventItem =
  | {
      readonly kind: "message";
      readonly message: Exclude<JobMessage, LogMessage>;
    }
  | {
      readonly kind: "log";
      readonly message: LogMessage;
      readonly place: LogPlace;
    }
  /** Of this step all was sent. */
  | { readonly kind: "logEnd"; readonly place: LogPlace }
  /** Shows that the connection lives, and says what it says to people. */
  | { readonly kind: "comment"; readonly text: string };

/** Something to tell the reader. */
export function notice(text: string): JobEventItem {
  return { kind: "message", message: { kind: "notice", text } };
}
