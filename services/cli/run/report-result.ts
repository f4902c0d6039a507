import { join } from "node:path";
import type {
  ActionResult,
  ExecuteResponse,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { Digest } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { listOutputs, saveOutputs } from "./save-outputs-file.js";

/**
 * Writes an action's output to ours, lists what it left on standard error,
 * saves that where a folder is given, and returns its exit status.
 */
export async function reportResult(
  { result, cachedResult }: ExecuteResponse,
  outputFolder: string | undefined,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<number> {
  if (result === undefined) {
    throw new StatusError(Code.Internal, "The engine gave no result");
  }
  await copyStreams(result, cas, context);
  const outputs = await listOutputs(result, cas, context);
  if (outputFolder !== undefined) {
    await saveOutputs(outputs, outputFolder, cas, context);
  }
  for (const output of outputs) {
    const what =
      output.type === "file"
        ? `${output.digest.sizeBytes} bytes`
        : `-> ${output.target}`;
    const path = join(outputFolder ?? "", output.path);
    process.stderr.write(`berth: output ${path} (${what})\n`);
  }
  if (cachedResult) process.stderr.write("berth: the result was cached\n");
  return result.exitCode;
}

async function copyStreams(
  result: ActionResult,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<void> {
  for (const [stream, raw, digest] of [
    [process.stdout, result.stdoutRaw, result.stdoutDigest],
    [process.stderr, result.stderrRaw, result.stderrDigest],
  ] as const) {
    if (raw.length > 0) stream.write(raw);
    else if (digest !== undefined) {
      const blob = Digest.fromProto(digest, "digest of an output stream");
      for await (const chunk of cas.open(blob, context)) stream.write(chunk);
    }
  }
}
