import type { ExecuteResponse } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { statusFromProto } from "../../../lib/grpc/index.js";
import {
  Code,
  isInfrastructureError,
  StatusError,
} from "../../../lib/status/index.js";
import type { AttemptOutcome } from "../model/job-event.js";
import { reasonOf } from "../model/reason.js";
import type { StepResult } from "../model/step.js";

/** What an engine's response means for the attempt. */
export async function outcomeOfResponse(
  response: ExecuteResponse,
  options: {
    /** Whether we asked for its end. */
    isCancelled: boolean;
    /** Whether the engine said that it had begun to execute. */
    hasExecuted: boolean;
    toResult(response: ExecuteResponse): Promise<StepResult>;
  },
): Promise<AttemptOutcome> {
  const { status, result } = response;
  const stepResult =
    result === undefined ? undefined : await options.toResult(response);
  if (status === undefined || status.code === Code.Ok) {
    if (stepResult !== undefined) return { kind: "ended", result: stepResult };
    const text = "The engine's response has neither result nor status";
    return outcomeOfError(new StatusError(Code.Internal, text), true);
  }
  const error = statusFromProto(status);
  switch (error.code) {
    case Code.DeadlineExceeded:
      return { kind: "timedOut", result: stepResult };
    case Code.Cancelled:
      return options.isCancelled
        ? { kind: "cancelled", result: stepResult }
        : { kind: "broken", reason: reasonOf(error), mayHaveRun: true };
    default:
      return outcomeOfError(error, options.hasExecuted);
  }
}

/** What a failure means for the attempt. */
export function outcomeOfError(
  error: StatusError,
  mayHaveRun: boolean,
): AttemptOutcome {
  const reason = reasonOf(error);
  // Missing blobs are told as FailedPrecondition: they are sent again.
  const isBroken =
    isInfrastructureError(error.code) ||
    error.code === Code.FailedPrecondition ||
    error.code === Code.Cancelled;
  return isBroken
    ? { kind: "broken", reason, mayHaveRun }
    : { kind: "refused", reason };
}
