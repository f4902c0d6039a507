/** Fields of a log line that a person at a terminal does not need. */
const dropped = new Set(["level", "time", "component", "msg", "pid"]);

/**
 * A service's line of JSON as a line for people: "root-fetcher: text
 * (field=value …)". What is no JSON stays as it is.
 */
export function formatLogLine(name: string, line: string): string {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return `${name}: ${line}`;
  }
  if (typeof event !== "object" || event === null || !("msg" in event)) {
    return `${name}: ${line}`;
  }
  const fields = Object.entries(event)
    .filter(([key]) => !dropped.has(key))
    .map(([key, value]) => `${key}=${formatValue(value)}`);
  const level =
    "level" in event && event.level !== "info" ? ` [${event.level}]` : "";
  const suffix = fields.length === 0 ? "" : ` (${fields.join(" ")})`;
  return `${name}:${level} ${event.msg}${suffix}`;
}

function formatValue(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "message" in value) {
    return JSON.stringify(value.message);
  }
  return JSON.stringify(value);
}
