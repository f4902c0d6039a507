import type { Digest } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { parseDigest } from "../execution/step-data.js";
import { hasEnded } from "../model/step.js";
import type { JobSnapshot, LogPosition } from "../workflow.js";

/** Where a stream of a step's log is to be had. */
export type LogSource =
  /** There is none, and there will be none. */
  | { readonly kind: "none" }
  /** The step has not begun, or its engine does not stream. */
  | { readonly kind: "later" }
  | { readonly kind: "live"; readonly resourceName: string }
  | { readonly kind: "blob"; readonly digest: Digest };

/** Finds a log; throws NotFound for a step that the job does not have. */
export function logSourceOf(
  { job, live }: JobSnapshot,
  { step: name, stream }: Omit<LogPosition, "offset">,
): LogSource {
  const step = job.steps.find((each) => each.specification.name === name);
  if (step === undefined) {
    throw new StatusError(
      Code.NotFound,
      `Job "${job.id}" has no step ${JSON.stringify(name.slice(0, 80))}`,
    );
  }
  if (!hasEnded(step)) {
    const streams = live.get(name)?.streams;
    return streams === undefined
      ? { kind: "later" }
      : { kind: "live", resourceName: streams[stream] };
  }
  const result = "result" in step.state ? step.state.result : undefined;
  const digest = result?.[stream];
  return digest === undefined
    ? { kind: "none" }
    : { kind: "blob", digest: parseDigest(digest) };
}
