import type {
  JobSummary,
  JobView,
  StepView,
} from "../../../../lib/job-api/index.js";
import type { Job } from "../../model/job.js";
import type { Step, StepResult } from "../../model/step.js";
import type { JobSnapshot, LiveStep } from "../../workflow.js";

/** A job as lists show it. */
export function jobSummary(job: Job): JobSummary {
  const { id, name, labels, state, steps } = job;
  const succeeded = steps.filter((step) => step.state.kind === "succeeded");
  return {
    id,
    ...(name !== undefined && { name }),
    labels,
    state: state.kind,
    ...(state.kind === "failed" && { reason: state.reason }),
    createdAt: isoTime(job.createdAt),
    startedAt: isoTime(job.startedAt),
    ...("at" in state && { endedAt: isoTime(state.at) }),
    run: job.pastRuns.length + 1,
    stepsTotal: steps.length,
    stepsSucceeded: succeeded.length,
    stepsCached: succeeded.filter((step) => resultOf(step)?.cached).length,
  };
}

/** A job as it is shown. */
export function jobView({ job, live }: JobSnapshot): JobView {
  const steps = job.steps.map((step) =>
    stepView(job, step, live.get(step.specification.name)),
  );
  const pastRuns = job.pastRuns.map(({ startedAt, state }) => ({
    state: state.kind,
    ...(state.kind === "failed" && { reason: state.reason }),
    startedAt: isoTime(startedAt),
    ...("at" in state && { endedAt: isoTime(state.at) }),
  }));
  return {
    ...jobSummary(job),
    steps,
    ...(pastRuns.length > 0 && { pastRuns }),
  };
}

function stepView(job: Job, step: Step, live: LiveStep | undefined): StepView {
  const { specification, image, attempts, state } = step;
  const result = resultOf(step);
  const url = `/v1/jobs/${job.id}/steps/${specification.name}`;
  return {
    name: specification.name,
    state: stateOf(step, live),
    needs: [...specification.needs],
    image: {
      reference: specification.work.image,
      ...(image !== undefined && { resolved: image.reference }),
    },
    cache: specification.cache,
    cached: result?.cached ?? false,
    retry: specification.retry,
    attempts,
    ...reasonOfStep(step),
    ...timesOf(step, result),
    ...(result !== undefined && {
      exitCode: result.exitCode,
      worker: result.worker,
    }),
    ...(result?.resources !== undefined && { resources: result.resources }),
    log: {
      isLive: state.kind === "running" && live?.streams !== undefined,
      stdout: logOf(step, "stdout", url),
      stderr: logOf(step, "stderr", url),
    },
    outputs: (result?.outputs ?? []).map(({ name, kind, digest }) => ({
      name,
      kind,
      digest,
      path: pathOf(step, name),
      url: `${url}/outputs/${name}`,
    })),
  };
}

function stateOf({ state }: Step, live: LiveStep | undefined) {
  if (state.kind !== "running") return state.kind;
  return live?.isExecuting === true ? "running" : "queued";
}

function resultOf({ state }: Step): StepResult | undefined {
  return "result" in state ? state.result : undefined;
}

function reasonOfStep({ state }: Step): Pick<StepView, "reason"> {
  if (state.kind === "failed" || state.kind === "lost") {
    return { reason: state.reason };
  }
  const after = state.kind === "ready" ? state.after : undefined;
  return after === undefined ? {} : { reason: after };
}

function timesOf(
  { state }: Step,
  result: StepResult | undefined,
): Pick<StepView, "startedAt" | "endedAt" | "times"> {
  const times = Object.entries(result?.times ?? {}).flatMap(([name, time]) =>
    time === undefined ? [] : [[name, isoTime(time)] as const],
  );
  // What came out of the cache was run before, perhaps before the job was.
  const started =
    result?.cached === true
      ? undefined
      : (result?.times.executionStart ?? result?.times.workerStart);
  const startedAt = state.kind === "running" ? state.since : started;
  return {
    ...(startedAt !== undefined && { startedAt: isoTime(startedAt) }),
    ...("at" in state && { endedAt: isoTime(state.at) }),
    ...(times.length > 0 && { times: Object.fromEntries(times) }),
  };
}

function logOf(
  step: Step,
  stream: "stdout" | "stderr",
  url: string,
): StepView["log"]["stdout"] {
  const sizeBytes =
    "at" in step.state ? sizeOf(resultOf(step)?.[stream]) : undefined;
  return {
    url: `${url}/${stream}`,
    ...(sizeBytes !== undefined && { sizeBytes }),
  };
}

/** Of a digest as "hash/size"; nothing written has none. */
function sizeOf(digest: string | undefined): number {
  return digest === undefined ? 0 : Number(digest.split("/")[1]);
}

function pathOf({ specification }: Step, output: string): string {
  const found = specification.work.outputs.find(({ name }) => name === output);
  return found?.path ?? "";
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
