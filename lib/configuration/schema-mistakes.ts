import type { z } from "zod";

/** What is wrong with a value, and where. Never holds the value. */
export interface SchemaMistake {
  /** Of what has to be changed; empty for the whole. */
  readonly path: readonly PropertyKey[];
  /** Goes behind the path: "must be a text". */
  readonly text: string;
}

/** A mistake and what it says of the alternative that it belongs to. */
interface Found extends SchemaMistake {
  /** Another type was meant, or a field is not there at all. */
  readonly kind?: "type" | "missing";
}

/** What zod calls its types, for people. */
const typeNames: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a text",
};

/**
 * What a schema found, in words that say what to change; a schema's own texts
 * stay. A field that is missing is a mistake of what should have it.
 */
export function schemaMistakes(
  issues: readonly z.core.$ZodIssue[],
): SchemaMistake[] {
  return issues.flatMap(mistakesOf).map(({ path, text, kind }) => {
    if (kind !== "missing" || path.length === 0) return { path, text };
    const name = JSON.stringify(String(path.at(-1)));
    return { path: path.slice(0, -1), text: `must have ${name}` };
  });
}

function mistakesOf(issue: z.core.$ZodIssue): readonly Found[] {
  const { path } = issue;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: [...path, key],
        text: "there is no such field",
      }));
    case "invalid_union":
      return ofUnion(issue);
    case "invalid_key": {
      const [first] = issue.issues.flatMap(mistakesOf);
      const text = `the name of this field ${first?.text ?? "is wrong"}`;
      return [{ path, text }];
    }
    case "invalid_type":
      if (!isZodsOwn(issue)) break;
      return [{ path, text: textOf(issue), kind: kindOf(issue) }];
  }
  return [{ path, text: textOf(issue) }];
}

/** Issues do not hold the value, but their text says whether there is one. */
function kindOf({ message }: z.core.$ZodIssue): "type" | "missing" {
  return message.endsWith("received undefined") ? "missing" : "type";
}

/** Those of the alternative that fits best: whose mistakes lie deepest. */
function ofUnion(
  issue: z.core.$ZodIssue & { code: "invalid_union" },
): readonly Found[] {
  const { path, errors } = issue;
  const alternatives = errors.map((issues) => issues.flatMap(mistakesOf));
  const depth = (found: readonly Found[]) =>
    Math.max(...found.map((each) => each.path.length));
  // Of the right type, and wrong otherwise, is nearer than of another type.
  const isOfType = (found: readonly Found[]) =>
    found.every(({ kind }) => kind !== "type");
  const [best] = [...alternatives].sort(
    (a, b) => depth(b) - depth(a) || Number(isOfType(b)) - Number(isOfType(a)),
  );
  if (best === undefined) return [{ path, text: textOf(issue) }];
  if (depth(best) === 0 && !isOfType(best)) {
    const texts = alternatives.flat().map(({ text }) => text);
    return [{ path, text: anyOf(texts), kind: "type" }];
  }
  return best.map((each) => ({ ...each, path: [...path, ...each.path] }));
}

/** "must be a list or a text" */
function anyOf(texts: readonly string[]): string {
  const start = "must be ";
  return [...new Set(texts)]
    .map((text, at) =>
      at > 0 && text.startsWith(start) ? text.slice(start.length) : text,
    )
    .join(" or ");
}

/** Schemas that say it better have a text of their own. */
function isZodsOwn({ message }: z.core.$ZodIssue): boolean {
  return /^(Invalid|Too (small|big)|Unrecognized)\b/.test(message);
}

function textOf(issue: z.core.$ZodIssue): string {
  if (!isZodsOwn(issue)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return `must be ${typeNames[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${listed(issue.values)}`;
    case "invalid_union":
      // Of the field that says which alternative is meant.
      return "options" in issue && Array.isArray(issue.options)
        ? `must be ${listed(issue.options)}`
        : "is wrong";
    case "too_small":
      return limitText(issue.origin, issue.minimum, {
        number: issue.inclusive === false ? "more than" : "at least",
        size: "at least",
      });
    case "too_big":
      return limitText(issue.origin, issue.maximum, {
        number: issue.inclusive === false ? "less than" : "at most",
        size: "at most",
      });
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    case "invalid_format":
      return `must be ${issue.pattern ?? issue.format}`;
    default:
      return "is wrong";
  }
}

function limitText(
  origin: string,
  limit: number | bigint,
  words: { readonly number: string; readonly size: string },
): string {
  switch (origin) {
    case "string":
      if (words.size === "at least" && limit === 1) return "must not be empty";
      return `must have ${words.size} ${limit} characters`;
    case "array":
    case "set":
      if (words.size === "at least" && limit === 1) return "must not be empty";
      return `must have ${words.size} ${limit} entries`;
    default:
      return `must be ${words.number} ${limit}`;
  }
}

function listed(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(" or ");
}
