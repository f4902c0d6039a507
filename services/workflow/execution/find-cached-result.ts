import type {
  ActionResult,
  Digest as DigestMessage,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext } from "../../../lib/cas/index.js";
import { Digest } from "../../../lib/digest/index.js";
import { Code, toStatusError } from "../../../lib/status/index.js";
import type { RemoteEngine } from "./remote-engine.js";

/**
 * The result of an action that succeeded before, if it is known and what it
 * names is still in CAS: of a directory, the message that names the rest.
 * Throws Unavailable when action cache or CAS are away.
 */
export async function findCachedResult(
  { actionCache, cas }: Pick<RemoteEngine, "actionCache" | "cas">,
  action: Digest,
  context: CasContext,
): Promise<ActionResult | undefined> {
  const result = await actionCache
    .get(action, context)
    .catch((error: unknown) => {
      if (!hasNone(error)) throw error;
      return undefined;
    });
  if (result === undefined || result.exitCode !== 0) return undefined;
  const missing = await cas.findMissing(digestsOf(result), context);
  return missing.length === 0 ? result : undefined;
}

/** Whether there is no action cache for us, which is no reason to fail. */
function hasNone(error: unknown): boolean {
  const { code } = toStatusError(error);
  return code === Code.Unimplemented || code === Code.PermissionDenied;
}

function digestsOf(result: ActionResult): Digest[] {
  const messages: (DigestMessage | undefined)[] = [
    result.stdoutDigest,
    result.stderrDigest,
    ...result.outputFiles.map(({ digest }) => digest),
    ...result.outputDirectories.flatMap((directory) => [
      directory.treeDigest,
      directory.rootDirectoryDigest,
    ]),
  ];
  return messages
    .filter((message) => message !== undefined)
    .map((message) => Digest.fromProto(message, "digest of cached result"));
}
