import type { CasContext } from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import {
  readDirectory,
  resolveTreePath,
} from "../../../lib/merkle-tree/index.js";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";
import type { RemoteEngine } from "../execution/remote-engine.js";
import { parseDigest } from "../execution/step-data.js";
import type { JobSnapshot, OutputContent } from "../workflow.js";
import { readBlob } from "./read-byte-stream.js";

/** Which output, and what of it; see Workflow.readOutput. */
export interface OutputPath {
  readonly step: string;
  readonly name: string;
  readonly path: string;
}

/** See Workflow.readOutput. */
export async function readOutput(
  engine: RemoteEngine,
  { snapshot, output }: { snapshot: JobSnapshot; output: OutputPath },
  signal: AbortSignal,
): Promise<OutputContent> {
  const found = outputOf(snapshot, output);
  const digest = parseDigest(found.digest);
  const scope = { engine, signal };
  if (found.kind === "file") {
    if (output.path !== "") throw nothing(output);
    return fileContent(digest, false, scope);
  }
  const context: CasContext = { instanceName: engine.instanceName, signal };
  const { node } = await resolveTreePath(engine.cas, digest, {
    path: output.path,
    context,
  }).catch((error: unknown) => {
    throw wrap(error, `Failed to find a file of output "${output.name}"`);
  });
  switch (node.type) {
    case "file":
      return fileContent(node.digest, node.isExecutable, scope);
    case "directory":
      return listing(node.digest, engine, context);
    case "symlink":
      throw nothing(output); // resolveTreePath has followed it
  }
}

function outputOf({ job }: JobSnapshot, output: OutputPath) {
  const step = job.steps.find(
    ({ specification }) => specification.name === output.step,
  );
  if (step === undefined) throw nothing(output);
  const result = "result" in step.state ? step.state.result : undefined;
  const found = result?.outputs.find(({ name }) => name === output.name);
  if (found === undefined) throw nothing(output);
  return found;
}

function nothing({ step, name, path }: OutputPath): StatusError {
  const shown = JSON.stringify([step, name, path].join("/").slice(0, 200));
  return new StatusError(Code.NotFound, `There is no output ${shown}`);
}

function fileContent(
  digest: Digest,
  isExecutable: boolean,
  { engine, signal }: { engine: RemoteEngine; signal: AbortSignal },
): OutputContent {
  return {
    kind: "file",
    sizeBytes: digest.sizeBytes,
    isExecutable,
    open: (offset) => readBlob(engine, { digest, offset }, signal),
  };
}

async function listing(
  digest: Digest,
  { cas }: RemoteEngine,
  context: CasContext,
): Promise<OutputContent> {
  const { directory } = await readDirectory(cas, digest, context);
  return {
    kind: "directory",
    entries: [
      ...directory.directories.map(({ name }) => ({
        name,
        kind: "directory" as const,
      })),
      ...directory.files.map((file) => ({
        name: file.name,
        kind: "file" as const,
        sizeBytes: file.digest?.sizeBytes ?? 0,
      })),
      ...directory.symlinks.map(({ name, target }) => ({
        name,
        kind: "symlink" as const,
        target,
      })),
    ],
  };
}
