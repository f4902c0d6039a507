import type { JobView } from "../../../lib/job-api/index.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import { findJob } from "./client/find-job.js";
import type { JobHttpClient } from "./client/job-http-client.js";
import { followToEnd } from "./follow-command.js";
import type { JobCommand, JobCommandContext } from "./job-command.js";
import { commonOptions, parseJobArguments } from "./job-settings.js";
import { copyBytes } from "./view/copy-bytes.js";
import { linePrefix } from "./view/line-prefix.js";
import { withJobClient } from "./with-job-client.js";

const options = {
  ...commonOptions,
  follow: { type: "boolean", short: "f", default: false },
  step: { type: "string" },
} as const;

/** `berth job log`: what the steps wrote, or write. */
export const runLog: JobCommand = async (args, context) => {
  const { values, operands } = parseJobArguments(args, options, ["job's id"]);
  return withJobClient(values, context, async (client) => {
    const id = await findJob(client, operands[0] ?? "");
    const { step, json } = values;
    const job = await client.show(id);
    checkStep(job, step);
    if (values.follow) return followToEnd(client, id, { json, step }, context);
    for (const { name } of job.steps) {
      if (step !== undefined && step !== name) continue;
      await writeLog(client, { job, name, values }, context);
    }
    return 0;
  });
};

function checkStep({ id, steps }: JobView, name: string | undefined): void {
  if (name === undefined || steps.some((step) => step.name === name)) return;
  const known = steps.map((step) => step.name).join(", ");
  throw new StatusError(
    Code.NotFound,
    `Job ${id} has no step ${JSON.stringify(name)}, but ${known}`,
  );
}

/** Bytes as they were written where one step is asked for; else lines. */
async function writeLog(
  client: JobHttpClient,
  {
    job,
    name,
    values,
  }: {
    job: JobView;
    name: string;
    values: { readonly step?: string | undefined; readonly json: boolean };
  },
  { output, terminal }: JobCommandContext,
): Promise<void> {
  const prefix =
    values.step === undefined
      ? linePrefix(job.steps)({ step: name, text: "" })
      : "";
  for (const stream of ["stdout", "stderr"] as const) {
    const { bytes } = await client
      .open(job.id, ["steps", name, stream])
      .catch((error: unknown) => {
        // Of a step that did not begin there is no log.
        if (toStatusError(error).code !== Code.OutOfRange) throw error;
        return { bytes: noBytes() };
      });
    if (values.json) {
      const text = await readText(bytes);
      if (text === "") continue;
      await output.write(`${JSON.stringify({ step: name, stream, text })}\n`);
    } else {
      const isTerminal = terminal !== undefined;
      await copyBytes(bytes, { output, prefix, isTerminal });
    }
  }
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}

async function readText(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
