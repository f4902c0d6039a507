import {
  type ActionResult,
  type Digest as DigestMessage,
  type ExecutedActionMetadata,
  Tree,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Timestamp } from "#proto/google/protobuf/timestamp.js";
import {
  type CasContext,
  type ContentAddressableStorage,
  maximumReadSizeBytes,
} from "../../../lib/cas/index.js";
import { Digest } from "../../../lib/digest/index.js";
import { encodeDirectory } from "../../../lib/merkle-tree/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { StepResult, StepSpecification } from "../model/step.js";
import { outputPath } from "./build-action.js";
import { resourcesOf } from "./resource-usage.js";

/**
 * What an action's result means for its step. Writes to CAS what the engine
 * gave otherwise: a stream in the message itself, a directory as a Tree
 * alone. Throws what CAS throws, and Internal for a malformed result.
 */
export async function stepResultOf(
  result: ActionResult,
  options: {
    specification: StepSpecification;
    cached: boolean;
    cas: ContentAddressableStorage;
    context: CasContext;
  },
): Promise<StepResult> {
  const { cas, context, specification } = options;
  const stream = async (digest: DigestMessage | undefined, raw: Uint8Array) => {
    if (digest !== undefined && digest.sizeBytes > 0) {
      return String(digestOf(digest));
    }
    return raw.length > 0 ? String(await cas.write(raw, context)) : undefined;
  };
  const stdout = await stream(result.stdoutDigest, result.stdoutRaw);
  const stderr = await stream(result.stderrDigest, result.stderrRaw);
  const outputs: StepResult["outputs"] = [];
  for (const [index, { name }] of specification.work.outputs.entries()) {
    const output = await outputOf(result, outputPath(index), { cas, context });
    if (output !== undefined) outputs.push({ name, ...output });
  }
  const { executionMetadata: metadata } = result;
  const resources = resourcesOf(metadata?.auxiliaryMetadata ?? []);
  return {
    exitCode: result.exitCode,
    ...(stdout !== undefined && { stdout }),
    ...(stderr !== undefined && { stderr }),
    outputs,
    cached: options.cached,
    worker: metadata?.worker ?? "",
    times: timesOf(metadata),
    ...(resources !== undefined && { resources }),
  };
}

async function outputOf(
  result: ActionResult,
  path: string,
  scope: { cas: ContentAddressableStorage; context: CasContext },
) {
  const file = result.outputFiles.find((each) => each.path === path);
  if (file !== undefined) {
    const kind = "file" as const;
    return { kind, digest: String(digestOf(file.digest)) };
  }
  const directory = result.outputDirectories.find((each) => each.path === path);
  if (directory === undefined) return undefined;
  const { rootDirectoryDigest, treeDigest } = directory;
  const digest =
    rootDirectoryDigest === undefined
      ? await storeTree(digestOf(treeDigest), scope)
      : digestOf(rootDirectoryDigest);
  return { kind: "directory" as const, digest: String(digest) };
}

/** The Directories of a Tree as blobs of their own; gives the root's digest. */
async function storeTree(
  treeDigest: Digest,
  { cas, context }: { cas: ContentAddressableStorage; context: CasContext },
): Promise<Digest> {
  if (treeDigest.sizeBytes > maximumReadSizeBytes) {
    throw new StatusError(
      Code.ResourceExhausted,
      `An output directory has too many entries: its Tree has ${treeDigest.sizeBytes} bytes`,
    );
  }
  const tree = Tree.decode(await cas.read(treeDigest, context));
  for (const child of tree.children) {
    await cas.write(encodeDirectory(child).data, context);
  }
  return cas.write(encodeDirectory(tree.root ?? {}).data, context);
}

function digestOf(message: DigestMessage | undefined): Digest {
  try {
    return Digest.fromProto(message, "digest of action result");
  } catch (error) {
    throw new StatusError(Code.Internal, (error as StatusError).message); // fromProto throws no other
  }
}

function timesOf(metadata: ExecutedActionMetadata | undefined) {
  if (metadata === undefined) return {};
  const times: StepResult["times"] = {
    queued: msOf(metadata.queuedTimestamp),
    workerStart: msOf(metadata.workerStartTimestamp),
    inputFetchStart: msOf(metadata.inputFetchStartTimestamp),
    inputFetchEnd: msOf(metadata.inputFetchCompletedTimestamp),
    executionStart: msOf(metadata.executionStartTimestamp),
    executionEnd: msOf(metadata.executionCompletedTimestamp),
    outputUploadStart: msOf(metadata.outputUploadStartTimestamp),
    outputUploadEnd: msOf(metadata.outputUploadCompletedTimestamp),
    workerEnd: msOf(metadata.workerCompletedTimestamp),
  };
  return times;
}

function msOf(timestamp: Timestamp | undefined): number | undefined {
  if (timestamp === undefined) return undefined;
  return timestamp.seconds * 1_000 + Math.round(timestamp.nanos / 1e6);
}
