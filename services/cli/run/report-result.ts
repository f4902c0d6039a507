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
import { statusFromProto } from "../../../lib/grpc/index.js";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";
import type { RunSettings } from "./run-settings.js";
import { listOutputs, type Output, saveOutputs } from "./save-outputs-file.js";

/** Exit status for outputs that are missing after a success. */
const exitMissingOutput = 1;

/**
 * Writes an action's output to ours, lists what it left on standard error,
 * saves that where a folder is given, and returns its exit status, or another
 * than 0 when an output that was asked for is missing. Throws the status of
 * an action that did not run to its end, after what it wrote until then.
 */
export async function reportResult(
  { result, status, cachedResult }: ExecuteResponse,
  {
    outputs: wanted,
    outputFolder,
  }: Pick<RunSettings, "outputs" | "outputFolder">,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<number> {
  if (result !== undefined) await copyStreams(result, cas, context);
  if (status !== undefined && status.code !== Code.Ok) {
    throw wrap(statusFromProto(status), "Failed to run the action");
  }
  if (result === undefined) {
    throw new StatusError(Code.Internal, "The engine gave no result");
  }
  const outputs = await listOutputs(result, cas, context);
  if (outputFolder !== undefined) {
    await saveOutputs(outputs, outputFolder, cas, context);
  }
  for (const output of outputs) {
    const path = join(outputFolder ?? "", output.path);
    process.stderr.write(`berth: output ${path} (${describe(output)})\n`);
  }
  const missing = missingOutputs(wanted, result);
  for (const path of missing) {
    process.stderr.write(`berth: the action did not make output "${path}"\n`);
  }
  if (cachedResult) process.stderr.write("berth: the result was cached\n");
  return result.exitCode === 0 && missing.length > 0
    ? exitMissingOutput
    : result.exitCode;
}

function describe(output: Output): string {
  switch (output.type) {
    case "file":
      return `${output.digest.sizeBytes} bytes`;
    case "symlink":
      return `-> ${output.target}`;
    case "directory":
      return "empty folder";
  }
}

function missingOutputs(
  wanted: readonly string[],
  result: ActionResult,
): string[] {
  const made = new Set(
    [
      ...result.outputFiles,
      ...result.outputDirectories,
      ...result.outputSymlinks,
      ...result.outputFileSymlinks,
      ...result.outputDirectorySymlinks,
    ].map(({ path }) => path),
  );
  return wanted.filter((path) => !made.has(path));
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
