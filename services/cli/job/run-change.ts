import { findJob } from "./client/find-job.js";
import { followToEnd } from "./follow-command.js";
import type { JobCommand } from "./job-command.js";
import { commonOptions, parseJobArguments } from "./job-settings.js";
import { withJobClient } from "./with-job-client.js";

/** `berth job cancel`: a job's steps are stopped. */
export const runCancel: JobCommand = async (args, context) => {
  const parsed = parseJobArguments(args, commonOptions, ["job's id"]);
  const { values, operands } = parsed;
  return withJobClient(values, context, async (client) => {
    const id = await findJob(client, operands[0] ?? "");
    const job = await client.change(id, "cancel");
    const text = values.json ? JSON.stringify(job) : `${job.id} ${job.state}`;
    await context.output.write(`${text}\n`);
    return 0;
  });
};

const retryOptions = {
  ...commonOptions,
  follow: { type: "boolean", short: "f", default: false },
} as const;

/** `berth job retry`: a job goes on from the steps that did not succeed. */
export const runRetry: JobCommand = async (args, context) => {
  const parsed = parseJobArguments(args, retryOptions, ["job's id"]);
  const { values, operands } = parsed;
  return withJobClient(values, context, async (client) => {
    const id = await findJob(client, operands[0] ?? "");
    const job = await client.change(id, "retry");
    if (values.follow) {
      return followToEnd(client, id, { json: values.json }, context);
    }
    const text = values.json ? JSON.stringify(job) : `${job.id} ${job.state}`;
    await context.output.write(`${text}\n`);
    return 0;
  });
};

/** `berth job rm`: jobs that have ended are forgotten. */
export const runRemove: JobCommand = async (args, context) => {
  const parsed = parseJobArguments(args, commonOptions, ["job's id…"]);
  const { values, operands } = parsed;
  return withJobClient(values, context, async (client) => {
    const removed: string[] = [];
    for (const operand of operands) {
      const id = await findJob(client, operand);
      await client.remove(id);
      removed.push(id);
      if (!values.json) await context.output.write(`${id}\n`);
    }
    const text = `${JSON.stringify({ removed })}\n`;
    if (values.json) await context.output.write(text);
    return 0;
  });
};
