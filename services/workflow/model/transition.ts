import { Code, StatusError } from "../../../lib/status/index.js";
import { hasJobEnded, type Job, type JobState } from "./job.js";
import type { AttemptOutcome, JobEvent } from "./job-event.js";
import { exitCodeReason, type Reason } from "./reason.js";
import {
  hasEnded,
  type Step,
  type StepResult,
  type StepState,
} from "./step.js";

/** What an operator says of the ways that jobs go. */
export interface TransitionLimits {
  /** How often an attempt of one step is begun, in one run of its job. */
  readonly maximumAttempts: number;
  /** How often a job is run. */
  readonly maximumRuns: number;
}

/** A job's event, when, and under which limits. */
export interface Happening {
  readonly event: JobEvent;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly limits: TransitionLimits;
}

/**
 * The job after an event. The only place where states change; pure. Throws
 * FailedPrecondition for an event that the job is in no state for, such as
 * the cancellation of one that has ended.
 */
export function transition(job: Job, { event, at, limits }: Happening): Job {
  switch (event.kind) {
    case "prepared":
      needState(job, "preparing", "prepared");
      return settle(
        {
          ...job,
          state: { kind: "running" },
          steps: job.steps.map((step) => withImage(step, event.images)),
        },
        at,
      );
    case "preparationFailed":
      needState(job, "preparing", "given up");
      return settle(failPreparation(job, event.reason, at), at);
    case "attemptStarted":
      needState(job, "running", "begun");
      return changeStep(job, event.step, (step) => startAttempt(step, at));
    case "operationNamed":
      return changeStep(job, event.step, (step) => ({
        ...step,
        state: { ...needRunning(step), operation: event.operation },
      }));
    case "attemptEnded":
      return settle(
        changeStep(job, event.step, (step) => ({
          ...step,
          state: endAttempt(step, event.outcome, { job, at, limits }),
        })),
        at,
      );
    case "cancelRequested":
      return cancel(job, at);
    case "retryRequested":
      return retry(job, at, limits);
    case "hidden":
      return { ...job, isHidden: true };
  }
}

function needState(job: Job, kind: JobState["kind"], doing: string): void {
  if (job.state.kind === kind) return;
  throw new StatusError(
    Code.FailedPrecondition,
    `Job "${job.id}" cannot be ${doing}: it is ${job.state.kind}`,
  );
}

function needRunning(step: Step): StepState & { kind: "running" } {
  if (step.state.kind === "running") return step.state;
  throw new StatusError(
    Code.FailedPrecondition,
    `Step "${step.specification.name}" is not running: it is ${step.state.kind}`,
  );
}

function changeStep(job: Job, name: string, change: (step: Step) => Step): Job {
  const at = job.steps.findIndex(
    ({ specification }) => specification.name === name,
  );
  const step = job.steps[at];
  if (step === undefined) {
    throw new StatusError(
      Code.NotFound,
      `Job "${job.id}" has no step "${name}"`,
    );
  }
  return { ...job, steps: job.steps.with(at, change(step)) };
}

function withImage(
  step: Step,
  images: (JobEvent & { kind: "prepared" })["images"],
): Step {
  const image = images.get(step.specification.name) ?? step.image;
  return image === undefined ? step : { ...step, image };
}

function failPreparation(job: Job, reason: Reason, at: number): Job {
  return {
    ...job,
    state: { kind: "failed", at, reason },
    steps: job.steps.map((step) =>
      hasEnded(step) ? step : { ...step, state: { kind: "skipped", at } },
    ),
  };
}

function startAttempt(step: Step, at: number): Step {
  if (step.state.kind !== "ready") {
    throw new StatusError(
      Code.FailedPrecondition,
      `Step "${step.specification.name}" cannot begin: it is ${step.state.kind}`,
    );
  }
  return {
    ...step,
    attempts: step.attempts + 1,
    startedAt: at,
    state: { kind: "running", since: at },
  };
}

function endAttempt(
  step: Step,
  outcome: AttemptOutcome,
  { job, at, limits }: { job: Job; at: number; limits: TransitionLimits },
): StepState {
  needRunning(step);
  switch (outcome.kind) {
    case "ended": {
      const { result } = outcome;
      if (result.exitCode === 0) return { kind: "succeeded", at, result };
      const reason = exitCodeReason(result.exitCode);
      return { kind: "failed", at, reason, result };
    }
    case "timedOut": {
      const text = "The step was stopped after its timeout";
      const reason = { code: "TIMEOUT", text };
      return withResult({ kind: "failed", at, reason }, outcome.result);
    }
    case "cancelled":
      return withResult({ kind: "cancelled", at }, outcome.result);
    case "refused":
      return { kind: "failed", at, reason: outcome.reason };
    case "broken":
      break;
  }
  const { reason, mayHaveRun } = outcome;
  if (step.specification.retry === "never" && mayHaveRun) {
    return { kind: "lost", at, reason };
  }
  if (job.state.kind === "cancelling") return { kind: "cancelled", at };
  if (step.attempts >= limits.maximumAttempts) {
    return { kind: "failed", at, reason };
  }
  return { kind: "ready", since: at, after: reason };
}

function withResult<State extends StepState>(
  state: State,
  result: StepResult | undefined,
): State {
  return result === undefined ? state : { ...state, result };
}

function cancel(job: Job, at: number): Job {
  if (hasJobEnded(job)) {
    throw new StatusError(
      Code.FailedPrecondition,
      `Job "${job.id}" cannot be cancelled: it has ${job.state.kind}`,
    );
  }
  return settle(
    {
      ...job,
      state: { kind: "cancelling" },
      steps: job.steps.map((step) =>
        hasEnded(step) || step.state.kind === "running"
          ? step
          : { ...step, state: { kind: "cancelled", at } },
      ),
    },
    at,
  );
}

function retry(job: Job, at: number, { maximumRuns }: TransitionLimits): Job {
  const { kind } = job.state;
  if (kind !== "failed" && kind !== "cancelled") {
    throw new StatusError(
      Code.FailedPrecondition,
      `Job "${job.id}" cannot be retried: it is ${kind}, and only what failed or was cancelled can`,
    );
  }
  if (job.pastRuns.length + 1 >= maximumRuns) {
    throw new StatusError(
      Code.ResourceExhausted,
      `Job "${job.id}" cannot be retried: it was run ${maximumRuns} times already, submit it anew`,
    );
  }
  return {
    ...job,
    startedAt: at,
    state: { kind: "preparing" },
    pastRuns: [...job.pastRuns, { startedAt: job.startedAt, state: job.state }],
    steps: job.steps.map(({ startedAt, ...step }) =>
      step.state.kind === "succeeded"
        ? { ...step, ...(startedAt !== undefined && { startedAt }) }
        : { ...step, attempts: 0, state: { kind: "waiting" } },
    ),
  };
}

/** What follows from the states of the steps: who may begin, and the end. */
function settle(job: Job, at: number): Job {
  if (job.state.kind !== "running" && job.state.kind !== "cancelling") {
    return job;
  }
  const states = new Map<string, StepState>();
  // In any order of writing: a step's needs may stand behind it.
  const find = (step: Step): StepState => {
    const { name } = step.specification;
    const state = states.get(name) ?? settled(step);
    states.set(name, state);
    return state;
  };
  const byName = new Map(
    job.steps.map((step) => [step.specification.name, step]),
  );
  const settled = (step: Step): StepState => {
    if (step.state.kind !== "waiting") return step.state;
    const needs = step.specification.needs.map((name) => {
      const needed = byName.get(name);
      return needed === undefined ? undefined : find(needed).kind;
    });
    if (needs.every((kind) => kind === "succeeded")) {
      return { kind: "ready", since: at };
    }
    const isHopeless = needs.some(
      (kind) =>
        kind === undefined ||
        ["failed", "cancelled", "skipped", "lost"].includes(kind),
    );
    return isHopeless ? { kind: "skipped", at } : step.state;
  };
  const steps = job.steps.map((step) => {
    const state = find(step);
    return state === step.state ? step : { ...step, state };
  });
  return endIfDone({ ...job, steps }, at);
}

function endIfDone(job: Job, at: number): Job {
  if (!job.steps.every(hasEnded)) return job;
  return { ...job, state: endOf(job, at) };
}

function endOf(job: Job, at: number): JobState {
  const cause = job.steps.find(
    ({ state }) => state.kind === "failed" || state.kind === "lost",
  );
  const state = cause?.state;
  if (state?.kind === "failed" || state?.kind === "lost") {
    const { code, text } = state.reason;
    const name = cause?.specification.name;
    const reason = { code, text: `Step "${name}": ${text}` };
    return { kind: "failed", at, reason };
  }
  return job.state.kind === "cancelling" &&
    job.steps.some((step) => step.state.kind !== "succeeded")
    ? { kind: "cancelled", at }
    : { kind: "succeeded", at };
}
