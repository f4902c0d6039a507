import { outputListingSchema } from "../../../lib/job-api/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { formatBytes } from "../image/format-node.js";
import { usageError } from "../parse-options.js";
import { findJob } from "./client/find-job.js";
import { parseAnswer } from "./client/job-answer.js";
import type { JobCommand, JobCommandContext } from "./job-command.js";
import { commonOptions, parseJobArguments } from "./job-settings.js";
import { saveFile } from "./save-file.js";
import { copyBytes } from "./view/copy-bytes.js";
import { plainText } from "./view/terminal-text.js";
import { withJobClient } from "./with-job-client.js";

const options = {
  ...commonOptions,
  output: { type: "string", short: "o" },
} as const;

/** `berth job output`: what a step left, a file's bytes or a listing. */
export const runOutput: JobCommand = async (args, context) => {
  const { values, operands } = parseJobArguments(args, options, [
    "job's id",
    "STEP/NAME",
  ]);
  const [job = "", place = ""] = operands;
  const parts = parsePlace(place);
  return withJobClient(values, context, async (client) => {
    const id = await findJob(client, job);
    const { isListing, bytes } = await client.open(id, parts);
    if (isListing) {
      if (values.output !== undefined) throw directoryError(place);
      await writeListing(bytes, values.json, context);
    } else if (values.output === undefined) {
      const isTerminal = context.terminal !== undefined;
      await copyBytes(bytes, { output: context.output, isTerminal });
    } else {
      await saveFile(values.output, bytes);
    }
    return 0;
  });
};

/** "step/name/path" as what stands behind the job's address. */
function parsePlace(place: string): string[] {
  const [step, name, ...path] = place.replace(/\/$/, "").split("/");
  const wrong = [step, name, ...path].some((part) =>
    [undefined, "", ".", ".."].includes(part),
  );
  if (wrong || step === undefined || name === undefined) {
    throw usageError(
      "job",
      `What a step left is named STEP/NAME or STEP/NAME/PATH: current value is ${JSON.stringify(place)}`,
    );
  }
  if (name === "stdout" || name === "stderr") return ["steps", step, name];
  return ["steps", step, "outputs", name, ...path];
}

function directoryError(place: string): StatusError {
  return new StatusError(
    Code.FailedPrecondition,
    `${JSON.stringify(place)} is a directory: name a file in it, or leave --output out to see what there is`,
  );
}

async function writeListing(
  bytes: AsyncIterable<Uint8Array>,
  json: boolean,
  { output }: JobCommandContext,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  const listing = parseAnswer(outputListingSchema, text, "listing");
  if (json) return output.write(`${JSON.stringify(listing)}\n`);
  for (const { name, kind, sizeBytes, target } of listing.entries) {
    const size = sizeBytes === undefined ? "" : formatBytes(sizeBytes);
    const slash = kind === "directory" ? "/" : "";
    const link = target === undefined ? "" : ` -> ${plainText(target)}`;
    const shown = `${plainText(name)}${slash}${link}`;
    await output.write(`${size.padStart(10)}  ${shown}\n`);
  }
}
