import type { FastifySchemaValidationError } from "fastify";
import type { z } from "zod";
import { Code, StatusError } from "../../../lib/status/index.js";

/** So many mistakes of a request are told at once. */
const maximumTold = 10;

/** A mistake in a request: where, and what. Never holds the value. */
interface Mistake {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** What a schema found, as text: `steps.0.image: must …`. */
export function describeMistakes(
  found: readonly FastifySchemaValidationError[],
): string {
  return tell(
    found.flatMap(({ instancePath, message = "", params, keyword }) => {
      const path = instancePath.split("/").filter((part) => part !== "");
      // Made of zod's issues by fastify-type-provider-zod, in two halves.
      const issue = { ...params, code: keyword, message, path };
      return mistakesOf(issue as unknown as z.core.$ZodIssue);
    }),
  );
}

/** Checks a value. Throws InvalidArgument that names the mistakes' places. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const text = tell(result.error.issues.flatMap(mistakesOf));
  throw new StatusError(Code.InvalidArgument, text);
}

function mistakesOf(issue: z.core.$ZodIssue): readonly Mistake[] {
  const { path, message: text } = issue;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      text: "there is no such field",
    }));
  }
  if (issue.code === "invalid_union") return ofUnion(issue);
  if (issue.code === "invalid_key") {
    const first = issue.issues[0]?.message ?? text;
    return [{ path, text: `the name of this field ${first}` }];
  }
  return [{ path, text: text.replace(/^Invalid input: /, "") }];
}

/** Those of the alternative that fits best: whose mistakes lie deepest. */
function ofUnion(
  issue: z.core.$ZodIssue & { code: "invalid_union" },
): readonly Mistake[] {
  const alternatives = issue.errors.map((issues) => issues.flatMap(mistakesOf));
  const depth = (mistakes: readonly Mistake[]) =>
    Math.max(...mistakes.map(({ path }) => path.length));
  // Of the right type, and wrong otherwise, is nearer than of another type.
  const isOfType = (mistakes: readonly Mistake[]) =>
    mistakes.every(({ text }) => !text.startsWith("expected "));
  const [best] = [...alternatives].sort(
    (a, b) => depth(b) - depth(a) || Number(isOfType(b)) - Number(isOfType(a)),
  );
  if (best === undefined) return [{ path: issue.path, text: issue.message }];
  if (depth(best) === 0 && !isOfType(best)) {
    const texts = alternatives.flat().map(({ text }) => text);
    return [{ path: issue.path, text: [...new Set(texts)].join(", or ") }];
  }
  return best.map(({ path, text }) => ({
    path: [...issue.path, ...path],
    text,
  }));
}

function tell(mistakes: readonly Mistake[]): string {
  const told = mistakes.slice(0, maximumTold).map(({ path, text }) => {
    const place = path.map(String).join(".").slice(0, 200);
    return place === "" ? `The request: ${text}` : `${place}: ${text}`;
  });
  const more = mistakes.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
