import { Code, StatusError } from "../../../../lib/status/index.js";

/** An event of a stream (HTML Living Standard, "Server-sent events"). */
export interface ServerSentEvent {
  /** Of this event, or of the last one before it that had one; "" for none. */
  readonly id: string;
  /** "message" where the stream does not say it. */
  readonly type: string;
  /** Undefined for an event that has an id alone. */
  readonly data: string | undefined;
}

/** A job of a thousand steps is shown in a megabyte or two. */
const maximumEventLength = 2 ** 25;

/**
 * Reads a stream of events; what comes behind the last blank line is no event.
 * Throws ResourceExhausted for an event of more than 32 Mi characters, and
 * what reading throws.
 */
export async function* readServerSentEvents(
  bytes: AsyncIterable<Uint8Array>,
  maximumLength = maximumEventLength,
): AsyncGenerator<ServerSentEvent> {
  let id = "";
  let told = "";
  let type = "";
  let data: string[] = [];
  let length = 0;
  for await (const line of readLines(bytes, maximumLength)) {
    if (line === "") {
      const text = data.length > 0 ? data.join("\n") : undefined;
      const isNew = id !== told || text !== undefined;
      if (isNew) yield { id, type: type || "message", data: text };
      [told, type, data, length] = [id, "", [], 0];
      continue;
    }
    length += line.length;
    checkLength(length, maximumLength);
    const { field, value } = splitField(line);
    if (field === "data") data.push(value);
    else if (field === "event") type = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }
}

function splitField(line: string): { field: string; value: string } {
  const colon = line.indexOf(":");
  if (colon === -1) return { field: line, value: "" };
  const start = line[colon + 1] === " " ? colon + 2 : colon + 1;
  // A comment, whose colon stands first, has the field "".
  return { field: line.slice(0, colon), value: line.slice(start) };
}

/** Lines that end in LF, CR or both; without what follows the last one. */
async function* readLines(
  bytes: AsyncIterable<Uint8Array>,
  maximumLength: number,
): AsyncGenerator<string> {
  const decoder = new TextDecoder(); // drops a BOM, as it should be
  // Only what is new is searched: a long line comes in many pieces.
  let pieces: string[] = [];
  let length = 0;
  let isAfterReturn = false;
  for await (const chunk of bytes) {
    let text = decoder.decode(chunk, { stream: true });
    if (isAfterReturn && text.startsWith("\n")) text = text.slice(1);
    if (text !== "") isAfterReturn = text.endsWith("\r");
    const [first = "", ...others] = text.split(/\r\n|\n|\r/);
    pieces.push(first);
    length += first.length;
    checkLength(length, maximumLength);
    for (const next of others) {
      yield pieces.join("");
      pieces = [next];
      length = next.length;
    }
  }
}

function checkLength(length: number, maximumLength: number): void {
  if (length <= maximumLength) return;
  throw new StatusError(
    Code.ResourceExhausted,
    `The server sends an event of more than ${maximumLength} characters`,
  );
}
