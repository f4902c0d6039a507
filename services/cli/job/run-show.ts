import { findJob } from "./client/find-job.js";
import type { JobCommand } from "./job-command.js";
import { commonOptions, parseJobArguments } from "./job-settings.js";
import { formatJob } from "./view/format-job.js";
import { withJobClient } from "./with-job-client.js";

/** `berth job show`: a job and its steps as they are now. */
export const runShow: JobCommand = async (args, context) => {
  const parsed = parseJobArguments(args, commonOptions, ["job's id"]);
  const { values, operands } = parsed;
  return withJobClient(values, context, async (client) => {
    const job = await client.show(await findJob(client, operands[0] ?? ""));
    const text = values.json
      ? JSON.stringify(job)
      : formatJob(job, Date.now()).join("\n");
    await context.output.write(`${text}\n`);
    return 0;
  });
};
