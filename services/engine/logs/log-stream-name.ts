import {
  type InstanceName,
  parseInstanceName,
} from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";

/** One of the two logs of an operation, as ByteStream names it. */
export interface LogStreamName {
  readonly instanceName: InstanceName;
  /** Name of the operation. */
  readonly operation: string;
  readonly stream: "stdout" | "stderr";
}

/**
 * "[instance/]logstreams/{operation}-{stream}": REAPI's form of a log stream
 * that is read, `{parent=**}/logstreams/{id}`.
 */
export function formatLogStreamName(name: LogStreamName): string {
  const { instanceName, operation, stream } = name;
  const parent = instanceName === "" ? "" : `${instanceName}/`;
  return `${parent}logstreams/${operation}-${stream}`;
}

/**
 * Undefined for what does not look like a log stream's name. Throws NotFound
 * for one that no operation can have.
 */
export function tryParseLogStreamName(text: string): LogStreamName | undefined {
  const parts = text.split("/");
  if (parts.at(-2) !== "logstreams") return undefined;
  const id = /^([\w-]{1,100})-(stdout|stderr)$/.exec(parts.at(-1) ?? "");
  if (id === null) throw logStreamNotFound(text);
  const name = {
    instanceName: instanceOf(parts.slice(0, -2), text),
    operation: id[1] ?? "",
    stream: id[2] === "stdout" ? "stdout" : "stderr",
  } as const;
  // Nor has anything two names.
  if (formatLogStreamName(name) !== text) throw logStreamNotFound(text);
  return name;
}

function instanceOf(parts: readonly string[], text: string): InstanceName {
  try {
    return parseInstanceName(parts.join("/"));
  } catch {
    throw logStreamNotFound(text); // no operation has such an instance name
  }
}

/** The error for a name that nothing has, or nothing has any more. */
export function logStreamNotFound(text: string): StatusError {
  return new StatusError(
    Code.NotFound,
    `Log stream ${JSON.stringify(text.slice(0, 200))} not found: its action ended long ago, or never was`,
  );
}
