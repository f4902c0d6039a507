import { Code, codeFromNumber } from "./code.js";
import { StatusError } from "./status-error.js";

/**
 * Errors of Node and of the kernel by their errno name, each with the code
 * that tells who must act. What is not listed is Internal.
 */
const codeByErrno: Readonly<Record<string, Code>> = {
  // The machine is out of something; other requests may still pass.
  ENOSPC: Code.ResourceExhausted,
  EDQUOT: Code.ResourceExhausted,
  EMFILE: Code.ResourceExhausted,
  ENFILE: Code.ResourceExhausted,
  ENOMEM: Code.ResourceExhausted,
  // The name or the rights are wrong.
  ENOENT: Code.NotFound,
  EACCES: Code.PermissionDenied,
  EPERM: Code.PermissionDenied,
  EROFS: Code.FailedPrecondition,
  EEXIST: Code.AlreadyExists,
  // The peer is away or went away; a later attempt may reach it.
  ECONNREFUSED: Code.Unavailable,
  ECONNRESET: Code.Unavailable,
  ECONNABORTED: Code.Unavailable,
  EPIPE: Code.Unavailable,
  EHOSTUNREACH: Code.Unavailable,
  ENETUNREACH: Code.Unavailable,
  ENETDOWN: Code.Unavailable,
  ETIMEDOUT: Code.Unavailable,
  EAI_AGAIN: Code.Unavailable,
  // A host name without an address is a wrong name far more often than a
  // name server that is away; that one answers EAI_AGAIN.
  ENOTFOUND: Code.NotFound,
};

/**
 * Turns whatever was thrown into a StatusError: one of ours stays as it is;
 * an aborted signal is Cancelled (its reason counts if that is a StatusError,
 * and a timeout is DeadlineExceeded); errors of grpc-js keep code and text;
 * errors of Node are looked up by errno; all else is Internal.
 */
export function toStatusError(thrown: unknown): StatusError {
  if (thrown instanceof StatusError) return thrown;
  if (!isError(thrown)) {
    return new StatusError(Code.Internal, String(thrown), { cause: thrown });
  }
  if (thrown.cause instanceof StatusError && thrown.name === "AbortError") {
    return thrown.cause;
  }
  return new StatusError(codeOf(thrown), textOf(thrown), { cause: thrown });
}

// Not `instanceof Error`: DOMException and errors from another realm (vm,
// worker) are none of this realm's.
function isError(thrown: unknown): thrown is Error {
  return (
    typeof thrown === "object" &&
    thrown !== null &&
    "name" in thrown &&
    "message" in thrown
  );
}

function codeOf(error: Error): Code {
  if (error.name === "AbortError") return Code.Cancelled;
  if (error.name === "TimeoutError") return Code.DeadlineExceeded;
  const code: unknown = "code" in error ? error.code : undefined;
  if (typeof code === "number" && "details" in error) {
    return codeFromNumber(code); // grpc-js's ServiceError
  }
  if (typeof code === "string") return codeByErrno[code] ?? Code.Internal;
  return Code.Internal;
}

function textOf(error: Error): string {
  // grpc-js puts "14 UNAVAILABLE: " before the text; `details` is the text.
  if ("details" in error && typeof error.details === "string") {
    return error.details;
  }
  return error.message;
}
