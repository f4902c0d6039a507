import type { FastifySchemaValidationError } from "fastify";
import type { z } from "zod";
import { schemaMistakes } from "../../../lib/configuration/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";

/** So many mistakes of a request are told at once. */
const maximumTold = 10;

/** What a schema found, as text: `steps.0.image: must …`. */
export function describeMistakes(
  found: readonly FastifySchemaValidationError[],
): string {
  return tell(
    found.map(({ instancePath, message = "", params, keyword }) => {
      const path = instancePath.split("/").filter((part) => part !== "");
      // Made of zod's issues by fastify-type-provider-zod, in two halves.
      const issue = { ...params, code: keyword, message, path };
      return issue as unknown as z.core.$ZodIssue;
    }),
  );
}

/** Checks a value. Throws InvalidArgument that names the mistakes' places. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new StatusError(Code.InvalidArgument, tell(result.error.issues));
}

function tell(issues: readonly z.core.$ZodIssue[]): string {
  const mistakes = schemaMistakes(issues);
  const told = mistakes.slice(0, maximumTold).map(({ path, text }) => {
    const place = path.map(String).join(".").slice(0, 200);
    return place === "" ? `The request: ${text}` : `${place}: ${text}`;
  });
  const more = mistakes.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
