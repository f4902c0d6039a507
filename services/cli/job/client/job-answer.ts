import type { z } from "zod";
import { errorViewSchema } from "../../../../lib/job-api/index.js";
import {
  Code,
  StatusError,
  tryParseCodeName,
} from "../../../../lib/status/index.js";

/** Parses an answer. Throws Internal for what is not of the wanted shape. */
export function parseAnswer<Value>(
  schema: z.ZodType<Value>,
  text: string,
  what: string,
): Value {
  const { data, error } = schema.safeParse(tryParseJson(text));
  if (data !== undefined) return data;
  const where = error?.issues[0]?.path.map(String).join(".") || "the whole";
  throw new StatusError(
    Code.Internal,
    `The server's answer is no ${what} ("${where}" is wrong): it may be another program, or of another version`,
  );
}

/**
 * What an answer that is no success says: the server's own code and text, or
 * else what the HTTP status tells.
 */
export function errorOfAnswer(status: number, text: string): StatusError {
  const { data } = errorViewSchema.safeParse(tryParseJson(text));
  const code = tryParseCodeName(data?.error.code ?? "");
  if (data !== undefined && code !== undefined) {
    return new StatusError(code, data.error.message);
  }
  return new StatusError(
    // What stands before the server has lost it for the moment.
    [502, 503, 504].includes(status) ? Code.Unavailable : Code.Internal,
    `The server answers with HTTP status ${status}, and not as berth does: check --server`,
  );
}

function tryParseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no schema takes it
  }
}
