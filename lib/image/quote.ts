/** Enough to recognise a value by, and too little to flood a terminal. */
const maximumQuotedLength = 120;

/**
 * A rejected value for an error's text: quoted, control characters escaped,
 * cut after 120 characters. What comes from a client or a registry may be
 * long, or may hold terminal sequences.
 */
export function quote(value: unknown): string {
  if (typeof value === "string") {
    return value.length > maximumQuotedLength
      ? `${JSON.stringify(value.slice(0, maximumQuotedLength))} and ${value.length - maximumQuotedLength} characters more`
      : JSON.stringify(value);
  }
  if (value === null || typeof value !== "object") return String(value);
  return Array.isArray(value) ? "a list" : "an object";
}
