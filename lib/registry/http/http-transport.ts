import { Agent, type Dispatcher } from "undici";
import { Code, StatusError, toStatusError } from "../../status/index.js";
import {
  checkHost,
  createScopedLookup,
  type NetworkScope,
} from "./network-scope.js";
import { statusFromTransportError } from "./status-from-transport-error.js";

/** One request to one host; redirects are the caller's. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly scope: NetworkScope;
  /** Names the host in errors: 'registry "ghcr.io"'. */
  readonly subject: string;
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose body must be read to the end, or discarded. */
export interface HttpResponse {
  readonly status: number;
  /** As in the request. */
  readonly subject: string;
  /** A header by its lower-case name; several of one name are joined. */
  header(name: string): string | undefined;
  /** Fails with a StatusError; leaving it early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Gives the body up. */
  discard(): Promise<void>;
}

/** How long the transport waits. */
export interface HttpTimeouts {
  readonly connectMs: number;
  /** From the request until the answer's headers. */
  readonly headersMs: number;
  /** Without a single byte of the body, while somebody wants one. */
  readonly idleMs: number;
}

/**
 * Connections to one host. Layers of some images are fetched side by side,
 * and a manifest must not wait for them; registries themselves allow more.
 */
const connectionsPerHost = 32;

/** What is read of a discarded body, to keep its connection for the next. */
const discardedBytes = 64 * 1024;

/**
 * The slowest average that is borne, after half a minute of waiting. A host
 * that drips one byte before each idle timeout would hold us for ever.
 */
const minimumBytesPerSecond = 16 * 1024;
const graceMs = 30_000;

/** Sends single HTTP requests; owns the connections until it is closed. */
export class HttpTransport {
  readonly #agents = new Map<NetworkScope, Agent>();
  readonly #timeouts: HttpTimeouts;
  readonly #now: () => number;

  /** The clock gives milliseconds and never goes back. */
  constructor(timeouts: HttpTimeouts, now: () => number) {
    this.#timeouts = timeouts;
    this.#now = now;
  }

  /**
   * Sends one request and waits for the headers of the answer, whatever its
   * status is. Throws PermissionDenied for an address outside of the scope
   * before any packet is sent, and the codes of statusFromTransportError.
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, subject, signal } = request;
    const interim = createInterimLimit(this.#timeouts.headersMs);
    const ended =
      signal === undefined
        ? interim.signal
        : AbortSignal.any([signal, interim.signal]);
    try {
      checkHost(url.hostname, request.scope);
      const response = await this.#agent(request.scope).request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        // Whatever encoding came would have to be undone before the digest
        // is known, by a decoder that faces unverified bytes.
        headers: { ...request.headers, "accept-encoding": "identity" },
        ...(request.body === undefined ? {} : { body: request.body }),
        signal: ended,
        onInfo: interim.received,
      });
      return toHttpResponse(response, { subject, signal, now: this.#now });
    } catch (error) {
      throw failure(error, subject, signal);
    } finally {
      interim.over();
    }
  }

  /** Ends all connections at once; requests under way fail. */
  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  #agent(scope: NetworkScope): Agent {
    const known = this.#agents.get(scope);
    if (known !== undefined) return known;
    const agent = new Agent({
      connect: {
        lookup: createScopedLookup(scope),
        timeout: this.#timeouts.connectMs,
      },
      connections: connectionsPerHost,
      headersTimeout: this.#timeouts.headersMs,
      bodyTimeout: this.#timeouts.idleMs,
    });
    this.#agents.set(scope, agent);
    return agent;
  }
}

/** Interim answers (1xx) begin undici's wait anew: they get one wait more. */
function createInterimLimit(waitMs: number) {
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  return {
    signal: limit.signal,
    received: () => {
      timer ??= setTimeout(() => {
        const text = "took the connection, but did not answer in time";
        limit.abort(new StatusError(Code.Unavailable, text));
      }, waitMs);
    },
    over: () => clearTimeout(timer),
  };
}

interface BodyContext {
  readonly subject: string;
  readonly signal: AbortSignal | undefined;
  readonly now: () => number;
}

function toHttpResponse(
  response: Dispatcher.ResponseData,
  context: BodyContext,
): HttpResponse {
  const header = (name: string): string | undefined => {
    const value = response.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
  // A body that breaks while nobody reads it, or is given up, emits an error
  // that would end the process; readers get it from the iterator.
  response.body.on("error", () => {});
  return {
    status: response.statusCode,
    subject: context.subject,
    header,
    body: readBody(response, context),
    discard: async () => {
      // A connection that breaks meanwhile is no loss: nobody wants the rest.
      await response.body
        .dump({ limit: discardedBytes })
        .catch(() => undefined);
    },
  };
}

async function* readBody(
  response: Dispatcher.ResponseData,
  { subject, signal, now }: BodyContext,
): AsyncGenerator<Uint8Array> {
  const encoding = response.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    response.body.destroy();
    throw new StatusError(
      Code.Internal,
      `${subject} sends its answer with a Content-Encoding, which was not asked for`,
    );
  }
  let sizeBytes = 0;
  let waitedMs = 0; // for the host, not for who reads
  let asked = now();
  try {
    // Without an encoding set, the stream gives Buffers.
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.byteLength;
      waitedMs += now() - asked;
      if (isTooSlow(sizeBytes, waitedMs)) {
        throw new StatusError(
          Code.DeadlineExceeded,
          `sends less than ${minimumBytesPerSecond} bytes a second`,
        );
      }
      yield chunk;
      asked = now();
    }
  } catch (error) {
    throw failure(error, subject, signal);
  }
}

function isTooSlow(sizeBytes: number, waitedMs: number): boolean {
  if (waitedMs <= graceMs) return false;
  return sizeBytes / (waitedMs / 1000) < minimumBytesPerSecond;
}

function failure(
  error: unknown,
  subject: string,
  signal: AbortSignal | undefined,
): StatusError {
  return signal?.aborted === true
    ? toStatusError(signal.reason)
    : statusFromTransportError(error, subject);
}
