import {
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { StatusError } from "../status/index.js";
import { statusFromGrpc } from "./status-proto.js";

/** How a call is made. */
export interface CallSettings {
  /** Cancels the call; it then ends with Cancelled. */
  signal?: AbortSignal | undefined;
  /** Absolute time after which the call ends with DeadlineExceeded. */
  deadline?: Date | undefined;
  /** Headers. */
  metadata?: Metadata | undefined;
}

/** A unary method of a generated client, bound to it. */
export type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

/** A server-streaming method of a generated client, bound to it. */
export type StreamMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
) => ClientReadableStream<Response>;

function optionsOf(settings: CallSettings): Partial<CallOptions> {
  return settings.deadline === undefined ? {} : { deadline: settings.deadline };
}

/**
 * Makes a unary call. Throws a StatusError with the peer's code, text and
 * details, or the signal's reason if that is one.
 */
export function callUnary<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  settings: CallSettings = {},
): Promise<Response> {
  const { signal } = settings;
  return new Promise((resolve, reject) => {
    const call = method(
      request,
      settings.metadata ?? new Metadata(),
      optionsOf(settings),
      (error, response) => {
        signal?.removeEventListener("abort", cancel);
        if (error === null) resolve(response);
        else reject(errorOf(error, signal));
      },
    );
    const cancel = () => call.cancel();
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel);
  });
}

/**
 * Makes a server-streaming call and gives its messages as they come; leaving
 * the loop early cancels the call. Throws like callUnary.
 */
export async function* callServerStream<Request, Response>(
  method: StreamMethod<Request, Response>,
  request: Request,
  settings: CallSettings = {},
): AsyncGenerator<Response> {
  const { signal } = settings;
  const call = method(
    request,
    settings.metadata ?? new Metadata(),
    optionsOf(settings),
  );
  const cancel = () => call.cancel();
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel);
  try {
    for await (const message of call) {
      yield message as Response; // the stream is typed by its method
    }
  } catch (error) {
    throw errorOf(error as ServiceError, signal); // grpc-js throws no other
  } finally {
    signal?.removeEventListener("abort", cancel);
    // Ends the call if the consumer left early; its error has no reader.
    call.on("error", () => {});
    call.cancel();
  }
}

function errorOf(
  error: ServiceError,
  signal: AbortSignal | undefined,
): StatusError {
  if (signal?.reason instanceof StatusError) return signal.reason;
  return statusFromGrpc(error);
}
