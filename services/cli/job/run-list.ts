import { type JobSummary, jobStateSchema } from "../../../lib/job-api/index.js";
import { usageError } from "../parse-options.js";
import { listJobs } from "./client/find-job.js";
import type { JobCommand } from "./job-command.js";
import { commonOptions, parseJobArguments } from "./job-settings.js";
import { formatSpan, formatTime } from "./view/format-time.js";
import { plainText } from "./view/terminal-text.js";
import { withJobClient } from "./with-job-client.js";

const options = {
  ...commonOptions,
  state: { type: "string", multiple: true, default: [] as string[] },
  name: { type: "string" },
  label: { type: "string", multiple: true, default: [] as string[] },
  limit: { type: "string", default: "20" },
} as const;

/** Thousands of jobs are better asked for by a filter. */
const maximumLimit = 10_000;

/** `berth job ls`: the newest jobs first. */
export const runList: JobCommand = async (args, context) => {
  const { values } = parseJobArguments(args, options, []);
  const filter = new URLSearchParams();
  for (const state of values.state) filter.append("state", checkState(state));
  for (const label of values.label) filter.append("label", checkLabel(label));
  if (values.name !== undefined) filter.set("name", values.name);
  const maximum = parseLimit(values.limit);
  return withJobClient(values, context, async (client) => {
    const jobs: JobSummary[] = [];
    for await (const job of listJobs(client, { maximum, filter })) {
      jobs.push(job);
    }
    const text = values.json
      ? JSON.stringify({ jobs })
      : formatList(jobs, Date.now()).join("\n");
    await context.output.write(`${text}\n`);
    return 0;
  });
};

/** Jobs as lines in columns, below their titles. */
export function formatList(jobs: readonly JobSummary[], now: number): string[] {
  const title = ["ID", "STATE", "STEPS", "CREATED", "TIME", "NAME"];
  const rows = [
    title,
    ...jobs.map((job) => [
      job.id,
      job.state,
      formatSteps(job),
      formatTime(job.createdAt),
      formatSpan(job, now),
      plainText(job.name ?? ""),
    ]),
  ];
  const widths = title.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function formatSteps(job: JobSummary): string {
  const { stepsSucceeded, stepsTotal, stepsCached } = job;
  const cached = stepsCached > 0 ? `, ${stepsCached} cached` : "";
  return `${stepsSucceeded}/${stepsTotal}${cached}`;
}

function checkState(value: string): string {
  if (jobStateSchema.safeParse(value).success) return value;
  const known = jobStateSchema.options.join(", ");
  throw wrongValue("state", `one of ${known}`, value);
}

/** As it is given in a job's file; the API wants a colon between. */
function checkLabel(value: string): string {
  const equals = value.indexOf("=");
  if (equals > 0) return `${value.slice(0, equals)}:${value.slice(equals + 1)}`;
  throw wrongValue("label", "NAME=VALUE", value);
}

function parseLimit(value: string): number {
  const limit = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (limit >= 1 && limit <= maximumLimit) return limit;
  throw wrongValue("limit", `a number from 1 to ${maximumLimit}`, value);
}

function wrongValue(option: string, wanted: string, value: string) {
  const text = `--${option} must be ${wanted}: current value is "${value}"`;
  return usageError("job", text);
}
