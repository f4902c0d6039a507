import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { PackedBytes } from "./packed-bytes.js";
import { quoteTreePath } from "./tree-path.js";
import { TreeShape, type TreeTotals } from "./tree-shape.js";
import { defaultTreeLimits, type TreeLimits, walkTree } from "./walk-tree.js";

/**
 * The Directories of a tree, verified and checked, in memory. Nothing but
 * data, which may be posted to another thread, and its buffers transferred.
 */
export interface LoadedTree {
  /** Digest.key of the root Directory. */
  readonly root: string;
  /** By Digest.key; as they lie in CAS, which is a third of them decoded. */
  readonly directories: ReadonlyMap<string, Uint8Array>;
  /** In which the Directories lie, and nothing else. */
  readonly buffers: readonly ArrayBuffer[];
  readonly totals: TreeTotals;
}

/** What a tree may come to when all its paths are written out. */
export interface ExpandedTreeLimits {
  /** Paths. */
  readonly entries: number;
  /** Of one path. */
  readonly pathBytes: number;
  /** Of all paths and link targets together. */
  readonly nameBytes: number;
  /** Content of all files, equal ones counted each. */
  readonly contentBytes: number;
}

/** Those of images and layers: see LayerLimits. */
export const defaultExpandedTreeLimits: ExpandedTreeLimits = {
  entries: 2_000_000,
  pathBytes: 4095, // PATH_MAX less its NUL
  nameBytes: 256 * 2 ** 20,
  contentBytes: 100 * 2 ** 30,
};

/**
 * Reads all Directories of a tree in CAS, none of its files. What all paths of
 * the tree come to is within the limits, and known before one of them is made.
 * Throws as walkTree does, and ResourceExhausted beyond the limits.
 */
export async function loadTree(
  cas: ContentAddressableStorage,
  root: Digest,
  options: {
    readonly context: CasContext;
    /** Those not given are the default's. */
    readonly limits?: Partial<TreeLimits & ExpandedTreeLimits>;
  },
): Promise<LoadedTree> {
  const { context } = options;
  const most = {
    ...defaultTreeLimits,
    ...defaultExpandedTreeLimits,
    ...options.limits,
  };
  // No Directory can have more nodes than the tree has paths.
  const limits = { ...most, nodes: Math.min(most.nodes, most.entries) };
  const shape = new TreeShape();
  const packed = new PackedBytes();
  const directories = new Map<string, Uint8Array>();
  for await (const walked of walkTree(cas, root, { context, limits })) {
    shape.add(walked.digest, walked.directory);
    directories.set(walked.digest.key, packed.add(walked.data));
  }
  const totals = shape.totals(root);
  const check = (what: keyof TreeTotals, limit: number, unit: string) => {
    if (totals[what] <= limit) return;
    // A chain has its length at its end; of a sum, the part that is too much.
    const isChain = what === "depth" || what === "longestPathBytes";
    const path = shape.heaviestPath(root, what, isChain ? 0 : limit);
    throw new StatusError(
      Code.ResourceExhausted,
      `Tree in CAS must have at most ${limit} ${unit}: current value is ${totals[what]}, see ${quoteTreePath(path)}`,
    );
  };
  check("depth", most.depth, "levels");
  check("entries", most.entries, "paths");
  check("longestPathBytes", most.pathBytes, "bytes in a path");
  check("nameBytes", most.nameBytes, "bytes in its paths");
  check("contentBytes", most.contentBytes, "bytes in its files");
  return { root: root.key, directories, buffers: packed.buffers, totals };
}
