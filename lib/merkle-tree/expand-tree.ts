import {
  Directory,
  type NodeProperties,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";
import type { LoadedTree } from "./load-tree.js";
import { joinTreePath } from "./tree-path.js";

/** One path of a tree in CAS. */
export type TreeEntry =
  | {
      readonly type: "directory";
      /** "" for the root. */
      readonly path: string;
      readonly properties: NodeProperties | undefined;
    }
  | {
      readonly type: "file";
      readonly path: string;
      readonly digest: Digest;
      readonly isExecutable: boolean;
      readonly properties: NodeProperties | undefined;
    }
  | {
      readonly type: "symlink";
      readonly path: string;
      readonly target: string;
    };

/**
 * All paths of a tree: the root first, each directory before what is in it,
 * and that before what is elsewhere. Directories are decoded as they come, so
 * that the tree need not be in memory twice.
 */
export function* expandTree(
  tree: Pick<LoadedTree, "root" | "directories">,
): Generator<TreeEntry> {
  const stack = [{ path: "", key: tree.root }];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const { path, key } = at;
    const data = tree.directories.get(key);
    if (data === undefined) {
      throw new RangeError("A Directory of the tree was not given");
    }
    const directory = Directory.decode(data);
    yield { type: "directory", path, properties: directory.nodeProperties };
    yield* leavesOf(directory, path);
    for (const { name, digest } of directory.directories.reverse()) {
      const child = Digest.fromProto(digest, "digest of directory");
      stack.push({ path: joinTreePath(path, name), key: child.key });
    }
  }
}

function* leavesOf(directory: Directory, path: string): Generator<TreeEntry> {
  for (const file of directory.files) {
    yield {
      type: "file",
      path: joinTreePath(path, file.name),
      digest: Digest.fromProto(file.digest, `digest of "${file.name}"`),
      isExecutable: file.isExecutable,
      properties: file.nodeProperties,
    };
  }
  for (const { name, target } of directory.symlinks) {
    yield { type: "symlink", path: joinTreePath(path, name), target };
  }
}
