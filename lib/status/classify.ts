import { Code } from "./code.js";

/**
 * Whether the same request may succeed when it is sent again, with nothing
 * changed by the caller.
 */
export function isRetryable(code: Code): boolean {
  return code === Code.Unavailable || code === Code.Aborted;
}

/**
 * Whether a failure lies with our machines, or with a peer, and not with what
 * was asked for.
 */
export function isInfrastructureError(code: Code): boolean {
  switch (code) {
    case Code.Cancelled:
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.AlreadyExists:
    case Code.PermissionDenied:
    case Code.FailedPrecondition:
    case Code.OutOfRange:
    case Code.Unimplemented:
    case Code.Unauthenticated:
    case Code.Ok:
      return false;
    default:
      return true;
  }
}

/**
 * Whether a failure may be remembered for a short while: only what will not
 * get better by itself.
 */
export function isCacheable(code: Code): boolean {
  return (
    code === Code.NotFound ||
    code === Code.PermissionDenied ||
    code === Code.InvalidArgument
  );
}
