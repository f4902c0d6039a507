import { Code, StatusError } from "../../../lib/status/index.js";

/** Decodes a body. Throws InvalidArgument unless it is UTF-8. */
export function textOfBody(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch (error) {
    throw new StatusError(
      Code.InvalidArgument,
      "The request's body must be UTF-8",
      { cause: error },
    );
  }
}

/**
 * Parses JSON. Throws InvalidArgument that does not show the text, since it
 * may hold secrets, and for keys "__proto__", which code that copies objects
 * takes for something else.
 */
export function parseJsonText(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The error of JSON.parse quotes the text, so it is not kept as a cause.
    throw new StatusError(
      Code.InvalidArgument,
      "The request's body must be JSON",
    );
  }
  refusePrototypes(value);
  return value;
}

/** See parseJsonText; for values of other origin. */
export function refusePrototypes(value: unknown): void {
  const left: unknown[] = [value];
  // Not by recursion, and aliases of YAML once: deep and shared are allowed.
  const seen = new Set<object>();
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    seen.add(next);
    if (Object.hasOwn(next, "__proto__")) {
      throw new StatusError(
        Code.InvalidArgument,
        'No field can have the name "__proto__"',
      );
    }
    for (const inner of Object.values(next)) {
      if (typeof inner === "object" && inner !== null) left.push(inner);
    }
  }
}
