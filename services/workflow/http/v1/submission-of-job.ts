import type {
  JobSubmission,
  StepSubmission,
} from "../../../../lib/job-api/index.js";
import type { Container, Source } from "../../model/container.js";
import type { Job } from "../../model/job.js";
import type { StepSpecification } from "../../model/step.js";

/**
 * What would make a job again, through whichever API it came: jobOfSubmission()
 * makes the same steps of it.
 */
export function submissionOfJob({ name, labels, steps }: Job): JobSubmission {
  const specifications = steps.map(({ specification }) => specification);
  const cache = specifications.every((step) => step.cache);
  return {
    ...(name !== undefined && { name }),
    labels: { ...labels },
    environment: {},
    cache,
    steps: specifications.map((step) => ({
      ...stepSubmission(step),
      ...(step.cache !== cache && { cache: step.cache }),
    })),
  };
}

function stepSubmission(step: StepSpecification): StepSubmission {
  const { work, timeoutMs } = step;
  const { user, workingDirectory, network, stdin } = work;
  return {
    name: step.name,
    image: work.image,
    refresh: work.refresh,
    ...programOf(work),
    environment: Object.fromEntries(
      work.environment.map(({ name, value }) => [name, value]),
    ),
    secrets: Object.fromEntries(
      work.secrets.map(({ variable, name }) => [variable, name]),
    ),
    ...(user !== undefined && { user }),
    ...(workingDirectory !== undefined && { workingDirectory }),
    ...(network !== undefined && { network }),
    needs: [...step.needs],
    ...(stdin !== undefined && { stdin: sourceText(stdin) }),
    inputs: work.inputs.map(({ from, path }) => ({
      from: sourceText(from),
      path,
    })),
    outputs: work.outputs.map((output) => ({ ...output })),
    retry: step.retry,
    ...(timeoutMs !== undefined && { timeout: durationText(timeoutMs) }),
  };
}

/** A shell that was meant by a text becomes that text again. */
function programOf({
  entrypoint,
  command,
}: Container): Pick<StepSubmission, "entrypoint" | "command"> {
  const [shell, flag, text, ...more] = entrypoint ?? [];
  const isText =
    shell === "/bin/sh" && flag === "-c" && more.length === 0 && !command;
  if (isText && text !== undefined) return { command: text };
  return {
    ...(entrypoint !== undefined && { entrypoint: [...entrypoint] }),
    ...(command !== undefined && { command: [...command] }),
  };
}

function sourceText({ step, output }: Source): string {
  return output === "stdout" ? step : `${step}/${output}`;
}

function durationText(milliseconds: number): string {
  return milliseconds % 1_000 === 0
    ? `${milliseconds / 1_000}s`
    : `${milliseconds}ms`;
}
