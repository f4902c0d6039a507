import type {
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { Code, StatusError, toStatusError } from "../status/index.js";
import { statusToGrpc } from "./status-proto.js";

/** What a handler knows of its call. */
export interface CallContext {
  /** Aborted when the caller gives up or its deadline passes. */
  readonly signal: AbortSignal;
  /** The caller's headers. */
  readonly metadata: Metadata;
}

/** Where errors go that have no better place: unexpected ones, with stack. */
export type ErrorSink = (error: unknown) => void;

/** The part of grpc-js's calls that the adapters need. */
interface Call {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  on(event: "cancelled", listener: () => void): unknown;
}

/**
 * A call while its handler runs. A class, and no object with a getter of its
 * own: V8 keeps a shape for each such object, outside of what it collects often,
 * and with it the call and all that the call holds.
 */
class OpenCall implements CallContext {
  readonly metadata: Metadata;
  readonly #call: Call;
  readonly #timeoutMs: number | undefined;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(call: Call, timeoutMs?: number) {
    this.metadata = call.metadata;
    this.#call = call;
    this.#timeoutMs = timeoutMs;
  }

  /** Made when asked for: most handlers of small calls never wait. */
  get signal(): AbortSignal {
    this.#controller ??= this.#watch();
    return this.#controller.signal;
  }

  /** To be called when the handler has ended, whatever the outcome. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #watch(): AbortController {
    const controller = new AbortController();
    if (this.#call.cancelled) controller.abort();
    // grpc-js says "cancelled" at the end of every call, the good ones too.
    this.#call.on("cancelled", () => {
      if (!this.#isOver) controller.abort();
    });
    const timeoutMs = this.#timeoutMs;
    if (timeoutMs !== undefined) {
      const abort = () => controller.abort(tookTooLong(timeoutMs));
      this.#timer = setTimeout(abort, timeoutMs);
    }
    return controller;
  }
}

function tookTooLong(timeoutMs: number): StatusError {
  return new StatusError(
    Code.DeadlineExceeded,
    `The request was not answered within ${timeoutMs} ms`,
  );
}

/**
 * What a handler threw, as it goes out: a StatusError as it is, an abort as
 * Cancelled; anything else is "Internal error", so that nothing of our inside
 * leaks, and goes to the sink.
 */
function outgoing(thrown: unknown, sink: ErrorSink): StatusError {
  if (thrown instanceof StatusError) return thrown;
  const error = toStatusError(thrown);
  if (error.code === Code.Cancelled) return error;
  sink(thrown);
  return new StatusError(Code.Internal, "Internal error", { cause: thrown });
}

/**
 * A unary handler for grpc-js from an async function. With `timeoutMs`, the
 * signal is aborted after that time also for a caller without a deadline.
 */
export function implementUnary<Request, Response>(
  handle: (request: Request, context: CallContext) => Promise<Response>,
  sink: ErrorSink,
  options: { timeoutMs?: number } = {},
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const context = new OpenCall(call, options.timeoutMs);
    handle(call.request, context).then(
      (response) => {
        context.end();
        callback(null, response);
      },
      (thrown: unknown) => {
        context.end();
        callback(statusToGrpc(outgoing(thrown, sink)));
      },
    );
  };
}

/**
 * How long a caller may take none of the messages meant for it, in
 * milliseconds: far beyond any hiccup of a network. What the handler holds
 * open, such as a file, is then let go.
 */
const defaultStallTimeoutMs = 300_000;

/**
 * A server-streaming handler from an async generator; it is read no faster
 * than the caller takes the messages, and ended when the caller goes, or with
 * DeadlineExceeded when it takes none for a while.
 */
export function implementServerStream<Request, Response>(
  handle: (request: Request, context: CallContext) => AsyncIterable<Response>,
  sink: ErrorSink,
  options: { stallTimeoutMs?: number } = {},
): handleServerStreamingCall<Request, Response> {
  const { stallTimeoutMs = defaultStallTimeoutMs } = options;
  return (call) => {
    const context = new OpenCall(call);
    const { signal } = context;
    // Begun in a promise: what it throws at once is an answer, too.
    Promise.resolve()
      .then(() =>
        send(handle(call.request, context), call, { signal, stallTimeoutMs }),
      )
      .then(
        () => call.end(),
        (thrown: unknown) =>
          call.emit("error", statusToGrpc(outgoing(thrown, sink))),
      )
      .finally(() => context.end());
  };
}

async function send<Request, Response>(
  messages: AsyncIterable<Response>,
  call: ServerWritableStream<Request, Response>,
  wait: { signal: AbortSignal; stallTimeoutMs: number },
): Promise<void> {
  for await (const message of messages) {
    if (wait.signal.aborted) return;
    if (!call.write(message)) await drained(call, wait);
  }
}

/** Waits until the caller takes more, or is gone. */
function drained<Request, Response>(
  call: ServerWritableStream<Request, Response>,
  { signal, stallTimeoutMs }: { signal: AbortSignal; stallTimeoutMs: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      call.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(() => {
      reject(stalled(stallTimeoutMs)); // first: done() would resolve
      done();
    }, stallTimeoutMs);
    call.on("drain", done);
    signal.addEventListener("abort", done);
  });
}

function stalled(stallTimeoutMs: number): StatusError {
  return new StatusError(
    Code.DeadlineExceeded,
    `The caller has taken nothing for ${stallTimeoutMs} ms`,
  );
}

/**
 * A client-streaming handler from an async function over the messages. It may
 * return before the last one: the rest is then dropped unread.
 */
export function implementClientStream<Request, Response>(
  handle: (
    requests: AsyncIterable<Request>,
    context: CallContext,
  ) => Promise<Response>,
  sink: ErrorSink,
): handleClientStreamingCall<Request, Response> {
  return (call, callback) => {
    const context = new OpenCall(call);
    handle(call, context)
      .then(
        (response) => callback(null, response),
        (thrown: unknown) => callback(statusToGrpc(outgoing(thrown, sink))),
      )
      .finally(() => {
        context.end();
        call.resume();
      });
  };
}
