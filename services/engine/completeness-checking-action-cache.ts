import {
  type ActionResult,
  type Directory,
  Tree,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { ActionCache } from "../../lib/action-cache/index.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "../../lib/cas/index.js";
import { Digest } from "../../lib/digest/index.js";
import { Code, toStatusError } from "../../lib/status/index.js";

/**
 * An action cache that gives only results whose blobs are all in CAS, those
 * inside of Trees too, and marks them as used: a client that builds without
 * the bytes relies on them later. A result that is not complete is a miss.
 */
export class CompletenessCheckingActionCache implements ActionCache {
  readonly #base: ActionCache;
  readonly #cas: ContentAddressableStorage;

  constructor(base: ActionCache, cas: ContentAddressableStorage) {
    this.#base = base;
    this.#cas = cas;
  }

  async get(
    action: Digest,
    context: CasContext,
  ): Promise<ActionResult | undefined> {
    const result = await this.#base.get(action, context);
    if (result === undefined) return undefined;
    return (await this.#isComplete(result, context)) ? result : undefined;
  }

  put(
    action: Digest,
    result: ActionResult,
    context: CasContext,
  ): Promise<void> {
    return this.#base.put(action, result, context);
  }

  async #isComplete(
    result: ActionResult,
    context: CasContext,
  ): Promise<boolean> {
    try {
      const digests = [
        ...result.outputFiles.map(({ digest }) => digest),
        ...result.outputDirectories.map(({ treeDigest }) => treeDigest),
        ...result.outputDirectories.map((each) => each.rootDirectoryDigest),
        result.stdoutDigest,
        result.stderrDigest,
      ]
        .filter((digest) => digest !== undefined)
        .map((digest) => Digest.fromProto(digest, "action_result"));
      if ((await this.#cas.findMissing(digests, context)).length > 0) {
        return false;
      }
      for (const { treeDigest } of result.outputDirectories) {
        if (treeDigest === undefined) continue;
        const digest = Digest.fromProto(treeDigest, "tree_digest");
        const inside = await this.#digestsInTree(digest, context);
        const missing = await this.#cas.findMissing(inside, context);
        if (missing.length > 0) return false;
      }
      return true;
    } catch (error) {
      // A result with digests that are none, or a Tree that is none or went
      // away meanwhile, helps nobody; a store that is away is not a miss.
      const { code } = toStatusError(error);
      if (code === Code.Unavailable || code === Code.Cancelled) throw error;
      return false;
    }
  }

  async #digestsInTree(
    treeDigest: Digest,
    context: CasContext,
  ): Promise<Digest[]> {
    const tree = Tree.decode(await this.#cas.read(treeDigest, context));
    const directories: Directory[] = [...tree.children];
    if (tree.root !== undefined) directories.push(tree.root);
    return directories.flatMap(({ files }) =>
      files.map(({ digest }) => Digest.fromProto(digest, "FileNode.digest")),
    );
  }
}
