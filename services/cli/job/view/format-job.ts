import type { JobView, StepView } from "../../../../lib/job-api/index.js";
import { formatBytes } from "../../image/format-node.js";
import { formatDuration, formatTime } from "./format-time.js";
import { formatJobTable } from "./job-table.js";
import { plainText } from "./terminal-text.js";

/** All that people want to know of a job, as lines. */
export function formatJob(job: JobView, now: number): string[] {
  const labels = Object.entries(job.labels).map(
    ([name, value]) => `${name}=${plainText(value)}`,
  );
  return [
    ...formatJobTable(job, { now }),
    "",
    `created  ${formatTime(job.createdAt)}`,
    ...(labels.length > 0 ? [`labels   ${labels.join(", ")}`] : []),
    ...(job.reason ? [`reason   ${plainText(job.reason.text)}`] : []),
    ...job.steps.flatMap(formatStep),
  ];
}

function formatStep(step: StepView): string[] {
  const { image, needs, worker, resources, exitCode, log } = step;
  const details: (readonly [string, string | undefined])[] = [
    ["image", plainText(image.resolved ?? image.reference)],
    ["needs", needs.length === 0 ? undefined : needs.join(", ")],
    ["exit code", exitCode === undefined ? undefined : String(exitCode)],
    ["worker", worker === undefined ? undefined : plainText(worker)],
    ["used", resources === undefined ? undefined : formatUse(resources)],
    ["stdout", formatSize(log.stdout.sizeBytes)],
    ["stderr", formatSize(log.stderr.sizeBytes)],
    ...step.outputs.map(
      ({ name, kind, path }) =>
        ["output", `${name} (${kind} ${plainText(path)})`] as const,
    ),
  ];
  return [
    "",
    step.name,
    ...details.flatMap(([title, text]) =>
      text === undefined ? [] : [`  ${title.padEnd(9)}  ${text}`],
    ),
  ];
}

/** Nothing is said of a stream on which nothing was written. */
function formatSize(bytes: number | undefined): string | undefined {
  return bytes === undefined || bytes === 0 ? undefined : formatBytes(bytes);
}

function formatUse(used: NonNullable<StepView["resources"]>): string {
  const { userTimeMs, systemTimeMs, maximumResidentBytes } = used;
  const user = formatDuration(userTimeMs);
  const system = formatDuration(systemTimeMs);
  return `${user} user, ${system} system, ${formatBytes(maximumResidentBytes)} memory`;
}
