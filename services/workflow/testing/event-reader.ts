import type { JobMessage } from "../../../lib/job-api/index.js";

/** An event of a stream, and the last id that a reader then has. */
export interface ReadEvent {
  readonly message: JobMessage;
  readonly id: string;
}

/** Reads server-sent events as a browser does, one at a time. */
export class EventReader {
  /** Of the answer. */
  readonly status: number;
  readonly headers: Headers;
  /** Comments, and the last id, as far as was read. */
  readonly comments: string[] = [];
  id = "";
  readonly #blocks: AsyncGenerator<string>;
  readonly #controller: AbortController;

  private constructor(response: Response, controller: AbortController) {
    this.status = response.status;
    this.headers = response.headers;
    this.#controller = controller;
    this.#blocks = blocksOf(response);
  }

  static async open(url: string, id?: string): Promise<EventReader> {
    const controller = new AbortController();
    const response = await fetch(url, {
      signal: controller.signal,
      headers: id === undefined ? {} : { "last-event-id": id },
    });
    return new EventReader(response, controller);
  }

  /** The next event; undefined where the stream ends. */
  async next(): Promise<ReadEvent | undefined> {
    for (;;) {
      const block = await this.#blocks.next();
      if (block.done === true) return undefined;
      let event = "";
      let data: string | undefined;
      for (const line of block.value.split("\n")) {
        if (line.startsWith(":")) this.comments.push(line.slice(1).trim());
        if (line.startsWith("id: ")) this.id = line.slice(4);
        if (line.startsWith("event: ")) event = line.slice(7);
        if (line.startsWith("data: ")) data = line.slice(6);
      }
      if (data === undefined) continue;
      const message: JobMessage = JSON.parse(data);
      if (message.kind !== event) throw new Error(`Event "${event}": ${data}`);
      return { message, id: this.id };
    }
  }

  /** All that comes until the end, or until `enough` says so. */
  async read(
    enough: (message: JobMessage) => boolean = () => false,
  ): Promise<JobMessage[]> {
    const messages: JobMessage[] = [];
    for (let event = await this.next(); event; event = await this.next()) {
      messages.push(event.message);
      if (enough(event.message)) break;
    }
    return messages;
  }

  /** Leaves, as one who closes the page. */
  close(): void {
    this.#controller.abort();
  }
}

async function* blocksOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 2);
    }
  }
}
