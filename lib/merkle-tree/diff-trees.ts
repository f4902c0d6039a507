import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { listTree } from "./list-tree.js";
import { compareNames } from "./node-name.js";
import {
  childrenOf,
  directoryNode,
  isSameNode,
  type TreeNode,
  type TreePath,
} from "./tree-node.js";
import { readDirectory } from "./walk-tree.js";

/** A path that is not the same in two trees. */
export interface TreeChange {
  /** Relative to the roots, which are "". */
  readonly path: string;
  /** Undefined where the path is new. */
  readonly before: TreeNode | undefined;
  /** Undefined where the path is gone. */
  readonly after: TreeNode | undefined;
}

/** Directories that are compared at most: see listTree. */
const maximumCompared = 1_000_000;

interface Trees {
  readonly cas: ContentAddressableStorage;
  readonly context: CasContext;
  compared: number;
}

/**
 * What changed between two trees in CAS, sorted by name in each directory, a
 * directory before what it holds. A directory that is in both has changed if
 * its own properties have. Only Directories that differ are read, each once
 * for each path that it has; those of equal digests are not. Throws as
 * listTree does.
 */
export async function* diffTrees(
  cas: ContentAddressableStorage,
  roots: { readonly before: Digest; readonly after: Digest },
  context: CasContext,
): AsyncGenerator<TreeChange, void, void> {
  yield* diffDirectories({ cas, context, compared: 0 }, "", roots);
}

async function* diffDirectories(
  trees: Trees,
  path: string,
  digests: { readonly before: Digest; readonly after: Digest },
): AsyncGenerator<TreeChange, void, void> {
  if (digests.before.equals(digests.after)) return;
  if (++trees.compared > maximumCompared) {
    throw new StatusError(
      Code.ResourceExhausted,
      `Trees must differ in at most ${maximumCompared} directories`,
    );
  }
  const { cas, context } = trees;
  const [one, other] = await Promise.all([
    readDirectory(cas, digests.before, context),
    readDirectory(cas, digests.after, context),
  ]);
  const before = directoryNode(one);
  const after = directoryNode(other);
  if (!isSameNode(before, after)) yield { path, before, after };
  const old = childrenOf(one.directory);
  const young = childrenOf(other.directory);
  const names = new Set([...old.keys(), ...young.keys()]);
  for (const name of [...names].sort(compareNames)) {
    yield* diffNodes(trees, path === "" ? name : `${path}/${name}`, {
      before: old.get(name),
      after: young.get(name),
    });
  }
}

async function* diffNodes(
  trees: Trees,
  path: string,
  { before, after }: Omit<TreeChange, "path">,
): AsyncGenerator<TreeChange, void, void> {
  if (before?.type === "directory" && after?.type === "directory") {
    const digests = { before: before.digest, after: after.digest };
    yield* diffDirectories(trees, path, digests);
    return;
  }
  if (before && after && isSameNode(before, after)) return;
  const gone = listNode(trees, path, before);
  const come = listNode(trees, path, after);
  const [first, second] = [await gone.next(), await come.next()];
  yield { path, before: first.value?.node, after: second.value?.node };
  for await (const { path, node } of gone) {
    yield { path, before: node, after: undefined };
  }
  for await (const { path, node } of come) {
    yield { path, before: undefined, after: node };
  }
}

/** The node, and all beneath it; nothing where there is none. */
async function* listNode(
  { cas, context }: Trees,
  path: string,
  node: TreeNode | undefined,
): AsyncGenerator<TreePath, undefined, void> {
  if (node?.type === "directory") {
    yield* listTree(cas, node.digest, { context, path });
  } else if (node !== undefined) yield { path, node };
}
