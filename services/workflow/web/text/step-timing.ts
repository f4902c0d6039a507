import type { StepView } from "../../../../lib/job-api/index.js";
import { hasStepEnded } from "./states.js";

/** What a step spends its time with. */
export type PhaseKind = "queue" | "inputs" | "run" | "outputs";

/** A stretch of a step's time, in milliseconds since 1970. */
export interface Phase {
  readonly kind: PhaseKind;
  readonly from: number;
  readonly to: number;
}

/** Where a step's time went. */
export type StepTiming =
  /** It has not begun, or never did. */
  | { readonly kind: "none" }
  /** Nothing was run. */
  | { readonly kind: "cached" }
  /** It ran before the job's present run began, which kept its result. */
  | { readonly kind: "earlier"; readonly phases: readonly Phase[] }
  | { readonly kind: "phases"; readonly phases: readonly Phase[] };

type Timed = Pick<
  StepView,
  "state" | "cached" | "times" | "startedAt" | "endedAt"
>;

/** Tells where a step's time went; `now` is the end of what goes on. */
export function stepTiming(
  step: Timed,
  { runStartedAt, now }: { runStartedAt: string; now: number },
): StepTiming {
  if (step.cached) return { kind: "cached" };
  const phases = phasesOf(step, now);
  const last = phases.at(-1);
  if (last === undefined) return { kind: "none" };
  const isEarlier =
    hasStepEnded(step.state) && last.to < Date.parse(runStartedAt);
  return { kind: isEarlier ? "earlier" : "phases", phases };
}

function phasesOf(step: Timed, now: number): Phase[] {
  const { times = {}, startedAt, endedAt, state } = step;
  const measured = [
    phase("queue", times.queued, times.workerStart),
    phase("inputs", times.inputFetchStart, times.inputFetchEnd),
    phase("run", times.executionStart, times.executionEnd),
    phase("outputs", times.outputUploadStart, times.outputUploadEnd),
  ].flatMap((each) => each ?? []);
  if (measured.length > 0) return measured;
  // Of what is under way, or came without times, it is known when it began.
  const kind = state === "queued" ? "queue" : "run";
  const end = endedAt ?? new Date(now).toISOString();
  const whole = phase(kind, startedAt, end);
  return whole === undefined ? [] : [whole];
}

function phase(
  kind: PhaseKind,
  from: string | undefined,
  to: string | undefined,
): Phase | undefined {
  if (from === undefined || to === undefined) return undefined;
  const [start, end] = [Date.parse(from), Date.parse(to)];
  return { kind, from: start, to: Math.max(start, end) };
}
