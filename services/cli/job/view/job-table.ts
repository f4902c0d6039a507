import type {
  JobSummary,
  JobView,
  StepStateName,
  StepView,
} from "../../../../lib/job-api/index.js";
import { formatSpan } from "./format-time.js";
import { plainText } from "./terminal-text.js";

/** How a table is made. */
export interface TableOptions {
  /** Milliseconds since 1970, for what has not ended. */
  readonly now: number;
  /** Of the terminal; undefined: as long as need be. */
  readonly columns?: number | undefined;
  /** Of the table; steps beyond are counted. */
  readonly rows?: number | undefined;
  readonly hasColours?: boolean;
}

/** SGR colours of states; those that are not listed have none. */
const colours: Readonly<Record<string, number>> = {
  running: 33,
  cancelling: 33,
  succeeded: 32,
  failed: 31,
  lost: 31,
  cancelled: 35,
  waiting: 90,
  skipped: 90,
};

const stateWidth = "cancelling".length;

/** Steps of these states are shown first where there is no room for all. */
const urgency: Readonly<Record<StepStateName, number>> = {
  failed: 0,
  lost: 0,
  running: 1,
  queued: 2,
  ready: 3,
  cancelled: 4,
  waiting: 5,
  succeeded: 6,
  skipped: 7,
};

/** A job and its steps as lines of a terminal, none wider than it. */
export function formatJobTable(job: JobView, options: TableOptions): string[] {
  const room = Math.max(1, (options.rows ?? Number.POSITIVE_INFINITY) - 1);
  const shown = chooseSteps(job.steps, room);
  const width = Math.max(...shown.map(({ name }) => name.length));
  const lines = shown.map((step) => formatStep(step, width, options));
  const hidden = job.steps.length - shown.length;
  if (hidden > 0) {
    const { stepsSucceeded, stepsTotal } = job;
    const text = `  and ${hidden} more: ${stepsSucceeded} of ${stepsTotal} have succeeded`;
    lines.push(cut([{ text }], options));
  }
  return [formatHead(job, options), ...lines];
}

/** What a job is called: its name, and its id. */
export function jobTitle({
  id,
  name,
}: Pick<JobSummary, "id" | "name">): string {
  return name === undefined ? id : `${id} "${plainText(name)}"`;
}

interface Part {
  readonly text: string;
  readonly state?: string;
}

function formatHead(job: JobView, options: TableOptions): string {
  const parts: Part[] = [
    { text: `job ${jobTitle(job)}  ` },
    { text: job.state, state: job.state },
    { text: `  ${formatSpan(job, options.now)}` },
    ...(job.run > 1 ? [{ text: `  run ${job.run}` }] : []),
  ];
  return cut(parts, options);
}

function formatStep(
  step: StepView,
  width: number,
  options: TableOptions,
): string {
  const { name, state, cached, attempts, reason } = step;
  const remarks = [
    ...(cached ? ["cached"] : []),
    ...(attempts > 1 ? [`attempt ${attempts}`] : []),
    ...(reason === undefined ? [] : [plainText(reason.text)]),
  ];
  // What came out of the cache took no time.
  const span = cached ? "" : formatSpan(step, options.now);
  return cut(
    [
      { text: `  ${name.padEnd(width)}  ` },
      { text: state.padEnd(stateWidth), state },
      { text: `  ${span.padStart(9)}  ${remarks.join(", ")}` },
    ],
    options,
  );
}

function chooseSteps(steps: readonly StepView[], room: number): StepView[] {
  if (steps.length <= room) return [...steps];
  const urgent = [...steps].sort((a, b) => urgency[a.state] - urgency[b.state]);
  // A line is needed to count the others.
  const chosen = new Set(urgent.slice(0, Math.max(1, room - 1)));
  return steps.filter((step) => chosen.has(step));
}

function cut(parts: readonly Part[], options: TableOptions): string {
  let left = options.columns ?? Number.POSITIVE_INFINITY;
  const shown = parts.map(({ text, state }) => {
    const part = text.slice(0, left);
    left -= part.length;
    const colour = options.hasColours ? colours[state ?? ""] : undefined;
    if (part === "") return "";
    return colour === undefined ? part : `\u001b[${colour}m${part}\u001b[0m`;
  });
  return shown.join("").trimEnd();
}
