import { Code, StatusError } from "../../../../lib/status/index.js";

/**
 * The line from which a log is wanted; 0 where nothing is said. Throws
 * InvalidArgument for what is no index.
 */
export function parseRequestIndex(text: string | undefined): number {
  if (text === undefined) return 0;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new StatusError(
    Code.InvalidArgument,
    "index: must be a whole number from 0 on",
  );
}
