import {
  Code,
  StatusError,
  toStatusError,
} from "../../../../lib/status/index.js";

/**
 * First words of Redis's errors that are no bug of ours: the server cannot do
 * it now, or not for us. Whoever runs it has to act; nothing is wrong with
 * what was asked.
 */
const unavailable = new Set([
  "BUSY",
  "LEASE", // of our own scripts
  "LOADING",
  "MASTERDOWN",
  "MISCONF", // it cannot write to its disk
  "NOAUTH",
  "NOPERM",
  "NOREPLICAS",
  "OOM",
  "READONLY",
  "TRYAGAIN",
  "WRONGPASS",
]);

/**
 * Turns what ioredis rejected a call with into a StatusError: Internal for an
 * answer of Redis that says we asked wrongly, else Unavailable.
 */
export function statusFromRedisError(thrown: unknown): StatusError {
  if (thrown instanceof StatusError) return thrown;
  const { message, name } = describe(thrown);
  const [word = ""] = message.split(" ", 1);
  const isOurs = name === "ReplyError" && !unavailable.has(word);
  return new StatusError(
    isOurs ? Code.Internal : Code.Unavailable,
    `Failed to use the job store: ${message}`,
    { cause: thrown },
  );
}

function describe(thrown: unknown): { message: string; name: string } {
  const { message } = toStatusError(thrown);
  const name = thrown instanceof Error ? thrown.name : "";
  return { message, name };
}
