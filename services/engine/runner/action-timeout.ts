import type { Action } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Duration } from "#proto/google/protobuf/duration.js";
import { Code, StatusError } from "../../../lib/status/index.js";

/** How long actions may take. */
export interface TimeoutSettings {
  /** For actions that name none. */
  readonly defaultTimeoutMs: number;
  /** Actions that ask for more are refused. */
  readonly maximumTimeoutMs: number;
}

/** An action's timeout in milliseconds; throws InvalidArgument. */
export function timeoutOf(action: Action, settings: TimeoutSettings): number {
  const { timeout } = action;
  if (timeout === undefined) return settings.defaultTimeoutMs;
  const timeoutMs = durationMs(timeout);
  if (timeoutMs === 0) return settings.defaultTimeoutMs;
  if (timeoutMs > 0 && timeoutMs <= settings.maximumTimeoutMs) return timeoutMs;
  throw new StatusError(
    Code.InvalidArgument,
    `Timeout must be from 0 to ${settings.maximumTimeoutMs} ms: current value is ${timeoutMs} ms`,
  );
}

function durationMs({ seconds, nanos }: Duration): number {
  return seconds * 1_000 + nanos / 1e6;
}
