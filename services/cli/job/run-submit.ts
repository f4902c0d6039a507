import { followToEnd } from "./follow-command.js";
import type { JobCommand } from "./job-command.js";
import { commonOptions, parseJobArguments } from "./job-settings.js";
import { readSubmission } from "./read-submission-file.js";
import { parseSubmission } from "./submission.js";
import { withJobClient } from "./with-job-client.js";

const options = {
  ...commonOptions,
  follow: { type: "boolean", short: "f", default: false },
  name: { type: "string" },
  set: { type: "string", multiple: true, default: [] as string[] },
  "idempotency-key": { type: "string" },
} as const;

/** `berth job submit`: sends a job, and follows it if asked to. */
export const runSubmit: JobCommand = async (args, context) => {
  const { values, operands } = parseJobArguments(args, options, ["file"]);
  const [path = "-"] = operands;
  const text = await readSubmission(path, process.stdin);
  const body = parseSubmission(text, path === "-" ? "standard input" : path, {
    name: values.name,
    set: values.set,
  });
  const { output, say } = context;
  return withJobClient(values, context, async (client) => {
    const job = await client.submit(body, values["idempotency-key"]);
    if (values.follow) {
      if (context.terminal === undefined) say(`berth: job ${job.id} submitted`);
      return followToEnd(client, job.id, { json: values.json }, context);
    }
    const shown = values.json ? JSON.stringify(job) : job.id;
    await output.write(`${shown}\n`);
    return 0;
  });
};
