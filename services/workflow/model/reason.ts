import { z } from "zod";
import { codeName, type StatusError } from "../../../lib/status/index.js";

/** Why something did not go well, for people and programs. */
export const reasonSchema = z.strictObject({
  /**
   * "EXIT_CODE", "TIMEOUT", or the name of a status code for what was not the
   * program's own doing.
   */
  code: z.string(),
  /** A sentence without a period at its end. */
  text: z.string(),
});

/** See reasonSchema. */
export type Reason = z.infer<typeof reasonSchema>;

/** The program ended with another status than 0. */
export function exitCodeReason(exitCode: number): Reason {
  const text = `The program ended with exit code ${exitCode}`;
  return { code: "EXIT_CODE", text };
}

/** A failure of ours, or of the request. */
export function reasonOf(error: StatusError): Reason {
  return { code: codeName(error.code), text: error.message };
}
