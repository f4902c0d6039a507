import { Agent, type Dispatcher } from "undici";
import {
  type JobList,
  type JobView,
  jobListSchema,
  jobViewSchema,
} from "../../../../lib/job-api/index.js";
import {
  Code,
  errno,
  StatusError,
  toStatusError,
} from "../../../../lib/status/index.js";
import { errorOfAnswer, parseAnswer } from "./job-answer.js";
import {
  readServerSentEvents,
  type ServerSentEvent,
} from "./read-server-sent-events.js";

/** How a job service is reached. */
export interface JobClientOptions {
  /** Its address, which the paths of the API are put behind. */
  readonly server: URL;
  readonly token?: string | undefined;
  readonly signal: AbortSignal;
}

/** A job as it is sent. */
export interface SubmissionBody {
  readonly type: "application/json" | "application/yaml";
  readonly text: string;
}

/** A connection is made in this time, or the server is not there. */
const connectTimeoutMs = 10_000;

/** The server resolves nothing before it answers. */
const headersTimeoutMs = 60_000;

/**
 * Without a byte for so long, a connection is dead: event streams show every
 * 15 seconds that they live.
 */
const silenceTimeoutMs = 90_000;

/** Of answers that are read at once: a page of jobs is half a megabyte. */
const maximumAnswerBytes = 2 ** 26;

interface Request {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * The job service's own API over HTTP. Methods throw what the server answers,
 * by its code; Unavailable, with what to do, when it cannot be reached; and
 * Cancelled when the signal is aborted.
 */
export class JobHttpClient {
  readonly #options: JobClientOptions;
  readonly #agent = new Agent({
    connect: { timeout: connectTimeoutMs },
    headersTimeout: headersTimeoutMs,
    bodyTimeout: silenceTimeoutMs,
  });

  constructor(options: JobClientOptions) {
    this.#options = options;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async submit(body: SubmissionBody, key?: string): Promise<JobView> {
    return this.#job({
      method: "POST",
      path: "v1/jobs",
      headers: {
        "content-type": body.type,
        ...(key !== undefined && { "idempotency-key": key }),
      },
      body: body.text,
    });
  }

  async list(query: URLSearchParams): Promise<JobList> {
    const text = await this.#text({ method: "GET", path: `v1/jobs?${query}` });
    return parseAnswer(jobListSchema, text, "list of jobs");
  }

  async show(id: string): Promise<JobView> {
    return this.#job({ method: "GET", path: pathOf(id) });
  }

  async change(id: string, change: "cancel" | "retry"): Promise<JobView> {
    return this.#job({ method: "POST", path: `${pathOf(id)}/${change}` });
  }

  async remove(id: string): Promise<void> {
    await this.#text({ method: "DELETE", path: pathOf(id) });
  }

  /** What happens to a job, with its log, behind the event of an id. */
  async *events(
    id: string,
    lastEventId: string,
  ): AsyncGenerator<ServerSentEvent> {
    const { body } = await this.#send({
      method: "GET",
      path: `${pathOf(id)}/events?log=true`,
      headers: {
        accept: "text/event-stream",
        ...(lastEventId !== "" && { "last-event-id": lastEventId }),
      },
    });
    yield* readServerSentEvents(this.#chunks(body));
  }

  /**
   * Bytes beneath a job: a step's log, or something that it left. `isListing`
   * if they are the listing of a directory, as JSON.
   */
  async open(
    id: string,
    parts: readonly string[],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ isListing: boolean; bytes: AsyncIterable<Uint8Array> }> {
    const path = [pathOf(id), ...parts.map(encodeURIComponent)].join("/");
    const response = await this.#send({ method: "GET", path, headers });
    const type = String(response.headers["content-type"]);
    return {
      isListing: type.startsWith("application/json"),
      bytes: this.#chunks(response.body),
    };
  }

  async #job(request: Request): Promise<JobView> {
    return parseAnswer(jobViewSchema, await this.#text(request), "job");
  }

  async #text(request: Request): Promise<string> {
    const { body } = await this.#send(request);
    return readAll(this.#chunks(body));
  }

  async #send(request: Request): Promise<Dispatcher.ResponseData> {
    const { server, token, signal } = this.#options;
    const url = new URL(request.path, server);
    const response = await this.#agent
      .request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: request.method,
        headers: {
          ...request.headers,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        ...(request.body !== undefined && { body: request.body }),
        signal,
      })
      .catch((error: unknown) => {
        throw this.#unreachable(error);
      });
    // A body that breaks while nobody reads it would end the process.
    response.body.on("error", () => {});
    const { statusCode } = response;
    if (statusCode >= 200 && statusCode < 300) return response;
    const text = await readAll(this.#chunks(response.body));
    throw errorOfAnswer(statusCode, text);
  }

  async *#chunks(
    body: Dispatcher.ResponseData["body"],
  ): AsyncGenerator<Uint8Array> {
    try {
      // Without an encoding set, the stream gives Buffers.
      yield* body as AsyncIterable<Buffer>;
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): StatusError {
    const { server, signal } = this.#options;
    if (signal.aborted) return toStatusError(signal.reason);
    const why = errno(error) ?? toStatusError(error).message;
    return new StatusError(
      Code.Unavailable,
      `No job service answers at "${server.origin}" (${why}): start one with "berth up", or name another by --server`,
      { cause: error },
    );
  }
}

function pathOf(id: string): string {
  return `v1/jobs/${encodeURIComponent(id)}`;
}

async function readAll(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > maximumAnswerBytes) {
      throw new StatusError(
        Code.ResourceExhausted,
        `The server's answer has more than ${maximumAnswerBytes} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
