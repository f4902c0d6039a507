/** An event of a server-sent event stream. */
export interface StreamEvent {
  /** Its type, "message" where none is given. */
  readonly type: string;
  readonly data: string;
}

/**
 * Parses text/event-stream (HTML Living Standard, section 9.2.6), in pieces
 * as they come. Unlike EventSource it works on what fetch() gives, which can
 * send an Authorization header.
 */
export class EventStreamParser {
  #rest = "";
  #isFirst = true;
  #type = "";
  #data: string[] = [];
  #lastEventId: string;
  #nextId: string | undefined;

  /** `lastEventId`: of the stream that this one goes on with. */
  constructor(lastEventId = "") {
    this.#lastEventId = lastEventId;
  }

  /** To be sent as Last-Event-ID when the stream breaks; "" if there is none. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** Takes text; gives the events that it completes. */
  push(text: string): StreamEvent[] {
    let input = this.#rest + text;
    if (this.#isFirst && input !== "") {
      input = input.replace(/^\ufeff/, "");
      this.#isFirst = false;
    }
    // A carriage return at the end may be half of a line's end.
    const isHalf = input.endsWith("\r");
    const lines = (isHalf ? input.slice(0, -1) : input).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + (isHalf ? "\r" : "");
    return lines.flatMap((line) => this.#take(line) ?? []);
  }

  #take(line: string): StreamEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#type = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#nextId = value;
    return undefined;
  }

  #dispatch(): StreamEvent | undefined {
    if (this.#nextId !== undefined) this.#lastEventId = this.#nextId;
    const event = {
      type: this.#type || "message",
      data: this.#data.join("\n"),
    };
    const isEmpty = this.#data.length === 0;
    this.#type = "";
    this.#data = [];
    return isEmpty ? undefined : event;
  }
}
