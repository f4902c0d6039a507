import type { JobView } from "../../../lib/job-api/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { followJob } from "./client/follow-job.js";
import type { JobHttpClient } from "./client/job-http-client.js";
import { exitFailed, type JobCommandContext } from "./job-command.js";
import { reportFailure } from "./report-failure.js";
import type { FollowView } from "./view/follow-view.js";
import { createJsonView } from "./view/json-view.js";
import { createPlainView } from "./view/plain-view.js";
import { TerminalView } from "./view/terminal-view.js";

/** Exit status after Ctrl-C, as shells have it. */
const exitInterrupted = 130;

/** How a job is shown while it is followed. */
export interface FollowSettings {
  readonly json: boolean;
  /** The only step whose lines are wanted; then no table is shown. */
  readonly step?: string | undefined;
}

/**
 * Shows a job until it has ended; gives the exit status. Interrupted, it says
 * that the job goes on, and how to come back. Throws what following it throws.
 */
export async function followToEnd(
  client: JobHttpClient,
  id: string,
  settings: FollowSettings,
  context: JobCommandContext,
): Promise<number> {
  const { signal, say } = context;
  try {
    const job = await showToEnd(client, id, settings, context);
    return await exitStatus(client, job, context);
  } catch (error) {
    if (!signal.aborted) throw error;
    say(
      `berth: interrupted, but job ${id} goes on: see it by "berth job log -f ${id}", end it by "berth job cancel ${id}"`,
    );
    return exitInterrupted;
  }
}

/** Gives the job as it was told last. */
async function showToEnd(
  client: JobHttpClient,
  id: string,
  settings: FollowSettings,
  context: JobCommandContext,
): Promise<JobView | undefined> {
  const view = createView(settings, context);
  let job: JobView | undefined;
  try {
    const messages = followJob(client, id, {
      signal: context.signal,
      onLost: () => view.note("the server is gone, waiting for it"),
    });
    for await (const message of messages) {
      if (message.kind === "job") job = message.job;
      await view.message(message);
    }
    return job;
  } finally {
    await view.end();
  }
}

async function exitStatus(
  client: JobHttpClient,
  job: JobView | undefined,
  context: JobCommandContext,
): Promise<number> {
  switch (job?.state) {
    case "succeeded":
      return 0;
    case "failed":
      await reportFailure(client, job, context);
      return exitFailed;
    case "cancelled":
      context.say(`berth: job ${job.id} was cancelled`);
      return exitFailed;
    default:
      throw new StatusError(Code.NotFound, "The job was deleted");
  }
}

function createView(
  { json, step }: FollowSettings,
  { output, terminal, env, say }: JobCommandContext,
): FollowView {
  if (json) return createJsonView(output);
  if (terminal?.canDraw !== true || step !== undefined) {
    const isTerminal = terminal !== undefined;
    const onNews = (line: string) => say(`berth: ${line}`);
    return createPlainView({ output, onNews, step, isTerminal });
  }
  return new TerminalView({
    output,
    size: () => terminal,
    // As https://no-color.org has it.
    hasColours: !env.NO_COLOR,
  });
}
