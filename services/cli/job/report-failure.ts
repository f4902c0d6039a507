import type { JobView, StepView } from "../../../lib/job-api/index.js";
import type { JobHttpClient } from "./client/job-http-client.js";
import type { JobCommandContext } from "./job-command.js";
import { plainText, terminalText } from "./view/terminal-text.js";

/** What of the end of a log is looked at, in bytes. */
const tailBytes = 8 * 1_024;

/** What of it is shown. */
const tailLines = 10;

/**
 * Says on standard error why a job failed, and for each step that did what it
 * wrote last: to standard error or, if nothing, to standard output.
 */
export async function reportFailure(
  client: Pick<JobHttpClient, "open">,
  job: JobView,
  { say }: Pick<JobCommandContext, "say">,
): Promise<void> {
  const reason = job.reason?.text ?? "no reason is known";
  say(`berth: job ${job.id} failed: ${plainText(reason)}`);
  const failed = job.steps.filter(({ state }) => state === "failed");
  for (const step of failed) {
    const lines = await lastLines(client, job, step);
    if (lines.length === 0) continue;
    say(`berth: the last lines of step "${step.name}":`);
    for (const line of lines) say(`  ${terminalText(line)}`);
  }
}

async function lastLines(
  client: Pick<JobHttpClient, "open">,
  job: JobView,
  step: StepView,
): Promise<string[]> {
  for (const stream of ["stderr", "stdout"] as const) {
    if ((step.log[stream].sizeBytes ?? 0) === 0) continue;
    const text = await readTail(client, job.id, ["steps", step.name, stream]);
    const lines = text.split(/\r?\n|\r/).filter((line) => line.trim() !== "");
    if (lines.length > 0) return lines.slice(-tailLines);
  }
  return [];
}

/** "" where it cannot be had: the reason was told already. */
async function readTail(
  client: Pick<JobHttpClient, "open">,
  id: string,
  parts: readonly string[],
): Promise<string> {
  const range = `bytes=-${tailBytes}`;
  const chunks: Uint8Array[] = [];
  try {
    const { bytes } = await client.open(id, parts, { range });
    for await (const chunk of bytes) chunks.push(chunk);
  } catch {
    return "";
  }
  return Buffer.concat(chunks).toString("utf8");
}
