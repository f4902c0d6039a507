import type { ActionResult } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "../../lib/cas/index.js";
import { Digest } from "../../lib/digest/index.js";

/** What a client would like to have in the result itself. */
export interface InlineRequest {
  readonly inlineStdout: boolean;
  readonly inlineStderr: boolean;
  /** Paths of output files, as the command spells them. */
  readonly inlineOutputFiles: readonly string[];
}

/** Most bytes that are inlined; a client must be ready to get none. */
const maximumInlineBytes = 1024 * 1024;

/** Gives a result with the contents that were asked for, as far as they fit. */
export async function withInlineContents(
  result: ActionResult,
  request: InlineRequest,
  scope: { cas: ContentAddressableStorage; context: CasContext },
): Promise<ActionResult> {
  const wanted = new Set(request.inlineOutputFiles);
  if (!request.inlineStdout && !request.inlineStderr && wanted.size === 0) {
    return result;
  }
  let left = maximumInlineBytes;
  const read = async (digest: ActionResult["stdoutDigest"]) => {
    if (digest === undefined || digest.sizeBytes > left) return undefined;
    left -= digest.sizeBytes;
    return scope.cas.read(Digest.fromProto(digest, "digest"), scope.context);
  };
  const inlined: ActionResult = { ...result };
  if (request.inlineStdout) {
    inlined.stdoutRaw = (await read(result.stdoutDigest)) ?? result.stdoutRaw;
  }
  if (request.inlineStderr) {
    inlined.stderrRaw = (await read(result.stderrDigest)) ?? result.stderrRaw;
  }
  inlined.outputFiles = [];
  for (const file of result.outputFiles) {
    const contents = wanted.has(file.path)
      ? await read(file.digest)
      : undefined;
    inlined.outputFiles.push(
      contents === undefined ? file : { ...file, contents },
    );
  }
  return inlined;
}
