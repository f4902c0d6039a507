import type {
  JobSubmission,
  StepSubmission,
} from "../../../../lib/job-api/index.js";
import { Code, StatusError } from "../../../../lib/status/index.js";
import type { Container, Source } from "../../model/container.js";
import type { StepSpecification } from "../../model/step.js";
import type { NewJob } from "../../workflow.js";

/** What the kernel gives a program for arguments and environment is 2 MiB. */
const maximumStepEnvironment = 2 ** 19;

/** Of a job's steps together: all of it is written down with the job. */
const maximumJobEnvironment = 2 ** 22;

/** A year: longer is a mistake, and timers end at some point. */
const maximumTimeoutMs = 366 * 86_400_000;

const millisecondsByUnit: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Makes a job of a submission, its defaults filled in: names of steps, what
 * they need, how a text is run. Throws InvalidArgument naming the field.
 */
export function jobOfSubmission(tenant: string, job: JobSubmission): NewJob {
  const names = job.steps.map(({ name }, index) => name ?? `step-${index + 1}`);
  const steps = job.steps.map((step, index) =>
    stepOfSubmission(job, { step, index, names }),
  );
  const size = steps.reduce((sum, step) => sum + environmentSize(step), 0);
  if (size > maximumJobEnvironment) {
    throw wrong(
      "environment",
      `must have ${maximumJobEnvironment} bytes at most, counted in every step: has ${size}`,
    );
  }
  return { tenant, name: job.name, labels: job.labels, steps };
}

/** A step, where it stands, and what all steps are called. */
interface PlacedStep {
  readonly step: StepSubmission;
  readonly index: number;
  readonly names: readonly string[];
}

function stepOfSubmission(
  job: JobSubmission,
  { step, index, names }: PlacedStep,
): StepSpecification {
  const place = `steps.${index}`;
  const timeoutMs = parseTimeout(step.timeout, place);
  const specification: StepSpecification = {
    name: names[index] ?? "",
    needs: needsOf({ step, index, names }),
    work: containerOf(job, step, place),
    cache: step.cache ?? job.cache,
    retry: step.retry,
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
  const size = environmentSize(specification);
  if (size <= maximumStepEnvironment) return specification;
  throw wrong(
    `${place}.environment`,
    `must have ${maximumStepEnvironment} bytes at most, with the job's: has ${size}`,
  );
}

function containerOf(
  job: JobSubmission,
  step: StepSubmission,
  place: string,
): Container {
  const environment = { ...job.environment, ...step.environment };
  const { user, workingDirectory, network, stdin } = step;
  return {
    kind: "container",
    image: step.image,
    refresh: step.refresh,
    ...argvOf(step, place),
    environment: Object.entries(environment).map(([name, value]) => ({
      name,
      value,
    })),
    secrets: Object.entries(step.secrets).map(([variable, name]) => ({
      variable,
      name,
    })),
    ...(user !== undefined && { user }),
    ...(workingDirectory !== undefined && { workingDirectory }),
    ...(network !== undefined && { network }),
    ...(stdin !== undefined && { stdin: parseSource(stdin) }),
    inputs: step.inputs.map(({ from, path }) => ({
      from: parseSource(from),
      path,
    })),
    outputs: step.outputs,
  };
}

function argvOf(
  { entrypoint, command }: StepSubmission,
  place: string,
): Pick<Container, "entrypoint" | "command"> {
  if (typeof command === "string") {
    if (entrypoint !== undefined) {
      throw wrong(
        `${place}.entrypoint`,
        "must be left out where the command is a text, which a shell runs",
      );
    }
    return { entrypoint: ["/bin/sh", "-c", command] };
  }
  return {
    ...(entrypoint !== undefined && { entrypoint }),
    ...(command !== undefined && { command }),
  };
}

/** Those whose data it uses; else the one written before it. */
function needsOf({ step, index, names }: PlacedStep): string[] {
  if (step.needs !== undefined) return [...new Set(step.needs)];
  const sources = step.inputs.map(({ from }) => from);
  if (step.stdin !== undefined) sources.push(step.stdin);
  const used = new Set(sources.map((source) => parseSource(source).step));
  if (used.size > 0) return [...used];
  const before = names[index - 1];
  return before === undefined ? [] : [before];
}

function parseSource(source: NonNullable<StepSubmission["stdin"]>): Source {
  if (typeof source !== "string") return source;
  const slash = source.indexOf("/");
  if (slash < 0) return { step: source, output: "stdout" };
  return { step: source.slice(0, slash), output: source.slice(slash + 1) };
}

function parseTimeout(
  timeout: StepSubmission["timeout"],
  place: string,
): number | undefined {
  if (timeout === undefined) return undefined;
  const match = /^([\d.]+)([a-z]+)$/.exec(
    typeof timeout === "number" ? `${timeout}s` : timeout,
  );
  const factor = millisecondsByUnit[match?.[2] ?? ""] ?? Number.NaN;
  const milliseconds = Math.ceil(Number(match?.[1]) * factor);
  if (milliseconds >= 1 && milliseconds <= maximumTimeoutMs) {
    return milliseconds;
  }
  throw wrong(`${place}.timeout`, "must be from 1ms to 366 days");
}

function environmentSize({ work }: StepSpecification): number {
  let size = 0;
  for (const { name, value } of work.environment) {
    size += Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
  }
  return size;
}

function wrong(place: string, text: string): StatusError {
  return new StatusError(Code.InvalidArgument, `${place}: ${text}`);
}
