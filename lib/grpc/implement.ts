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

function contextOf(call: Call): CallContext {
  let controller: AbortController | undefined;
  return {
    metadata: call.metadata,
    // Made when asked for: most handlers of small calls never wait.
    get signal() {
      if (controller === undefined) {
        const made = new AbortController();
        controller = made;
        if (call.cancelled) made.abort();
        call.on("cancelled", () => made.abort());
      }
      return controller.signal;
    },
  };
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

/** A unary handler for grpc-js from an async function. */
export function implementUnary<Request, Response>(
  handle: (request: Request, context: CallContext) => Promise<Response>,
  sink: ErrorSink,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    handle(call.request, contextOf(call)).then(
      (response) => callback(null, response),
      (thrown: unknown) => callback(statusToGrpc(outgoing(thrown, sink))),
    );
  };
}

/**
 * A server-streaming handler from an async generator; it is read no faster
 * than the caller takes the messages, and ended when the caller goes.
 */
export function implementServerStream<Request, Response>(
  handle: (request: Request, context: CallContext) => AsyncIterable<Response>,
  sink: ErrorSink,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const context = contextOf(call);
    send(handle(call.request, context), call, context.signal).then(
      () => call.end(),
      (thrown: unknown) =>
        call.emit("error", statusToGrpc(outgoing(thrown, sink))),
    );
  };
}

async function send<Request, Response>(
  messages: AsyncIterable<Response>,
  call: ServerWritableStream<Request, Response>,
  signal: AbortSignal,
): Promise<void> {
  for await (const message of messages) {
    if (signal.aborted) return;
    if (!call.write(message)) {
      await new Promise<void>((resolve) => {
        const done = () => {
          call.off("drain", done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        call.on("drain", done);
        signal.addEventListener("abort", done);
      });
    }
  }
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
    handle(call, contextOf(call))
      .then(
        (response) => callback(null, response),
        (thrown: unknown) => callback(statusToGrpc(outgoing(thrown, sink))),
      )
      .finally(() => call.resume());
  };
}
