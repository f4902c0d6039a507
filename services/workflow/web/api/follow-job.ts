import type { JobMessage } from "../../../../lib/job-api/index.js";
import type { Api } from "./api.js";
import { ApiError } from "./api-error.js";
import { EventStreamParser } from "./event-stream-parser.js";

/** How the connection to the service is. */
export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "open" }
  /** It broke, and is or was tried again at this time (ms since 1970). */
  | { readonly kind: "waiting"; readonly until: number }
  /** Nothing more comes. */
  | { readonly kind: "closed" };

/** Who is told of what happens to a job. */
export interface JobFollower {
  onMessage(message: JobMessage): void;
  onConnection(connection: Connection): void;
  /** It cannot be followed, and trying again will not help. */
  onFailure(error: ApiError): void;
}

/** The service shows every 15 s that it lives; twice that, and some. */
const silenceMs = 40_000;

const firstDelayMs = 1_000;
const maximumDelayMs = 15_000;

/**
 * Follows a job and its log until it has ended; comes again where the
 * connection breaks, and goes on where it was. Call what it gives to stop.
 */
export function followJob(
  api: Pick<Api, "get">,
  id: string,
  follower: JobFollower,
): () => void {
  const controller = new AbortController();
  void run(api, id, { follower, signal: controller.signal });
  return () => controller.abort();
}

async function run(
  api: Pick<Api, "get">,
  id: string,
  { follower, signal }: { follower: JobFollower; signal: AbortSignal },
): Promise<void> {
  let parser = new EventStreamParser();
  let delayMs = firstDelayMs;
  follower.onConnection({ kind: "connecting" });
  while (!signal.aborted) {
    parser = new EventStreamParser(parser.lastEventId);
    try {
      const path = `/v1/jobs/${encodeURIComponent(id)}/events?log=true`;
      const isEnd = await readStream(
        api,
        { path, parser },
        (event) => {
          delayMs = firstDelayMs;
          if (event === undefined) follower.onConnection({ kind: "open" });
          else follower.onMessage(event);
        },
        signal,
      );
      if (isEnd) return follower.onConnection({ kind: "closed" });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !error.isPassing) {
        return follower.onFailure(error);
      }
    }
    follower.onConnection({ kind: "waiting", until: Date.now() + delayMs });
    await pause(delayMs, signal);
    delayMs = Math.min(delayMs * 2, maximumDelayMs);
  }
}

/** Tells of the opening as undefined; gives whether the end was announced. */
async function readStream(
  api: Pick<Api, "get">,
  { path, parser }: { path: string; parser: EventStreamParser },
  tell: (message: JobMessage | undefined) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (parser.lastEventId !== "") {
      headers["last-event-id"] = parser.lastEventId;
    }
    const both = AbortSignal.any([signal, silence.signal]);
    const { body } = await api.get(path, { headers, signal: both });
    if (body === null) return false;
    tell(undefined);
    const text = body.pipeThrough(new TextDecoderStream());
    for await (const piece of text) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silenceMs);
      for (const { data } of parser.push(piece)) {
        const message = JSON.parse(data) as JobMessage; // of our own service
        if (message.kind === "end") return true;
        tell(message);
      }
    }
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits; who comes back to the network waits no longer. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  return new Promise<void>((resolve) => {
    const options = { once: true, signal: done.signal };
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => resolve(), options);
    window.addEventListener("online", () => resolve(), options);
  }).finally(() => done.abort());
}
