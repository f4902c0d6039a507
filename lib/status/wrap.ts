import type { Code } from "./code.js";
import { StatusError } from "./status-error.js";
import { toStatusError } from "./to-status-error.js";

/**
 * Prefixes what we were doing ("Failed to fetch manifest of …") to a failure
 * from below. The code stays unless one is given: to change it is a decision,
 * and shows in the call. Details stay too.
 */
export function wrap(cause: unknown, doing: string, code?: Code): StatusError {
  const inner = toStatusError(cause);
  return new StatusError(code ?? inner.code, `${doing}: ${inner.message}`, {
    cause,
    details: inner.details,
  });
}

/**
 * Makes one error of several that happened at once: the first one's code and
 * details, all texts joined, each text once. Throws RangeError when empty.
 */
export function joinErrors(errors: readonly unknown[]): StatusError {
  const all = errors.map(toStatusError);
  const [first] = all;
  if (first === undefined) throw new RangeError("There is no error to join");
  const texts = new Set(all.map((error) => error.message));
  return new StatusError(first.code, [...texts].join(", "), {
    cause: errors.length === 1 ? errors[0] : new AggregateError(errors),
    details: first.details,
  });
}
