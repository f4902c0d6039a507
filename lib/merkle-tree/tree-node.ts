import {
  type Directory,
  NodeProperties,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";

/** What a path of a tree in CAS stands for. */
export type TreeNode =
  | {
      readonly type: "file";
      readonly digest: Digest;
      readonly isExecutable: boolean;
      readonly properties: NodeProperties | undefined;
    }
  | {
      readonly type: "directory";
      readonly digest: Digest;
      readonly properties: NodeProperties | undefined;
    }
  | {
      readonly type: "symlink";
      readonly target: string;
      readonly properties: NodeProperties | undefined;
    };

/** A path of a tree, relative to its root, which is "". */
export interface TreePath {
  readonly path: string;
  readonly node: TreeNode;
}

/** The directory itself, as a node. */
export function directoryNode(walked: {
  readonly digest: Digest;
  readonly directory: Directory;
}): Extract<TreeNode, { type: "directory" }> {
  const { digest, directory } = walked;
  return { type: "directory", digest, properties: directory.nodeProperties };
}

/**
 * What a directory holds, by name. Subdirectories have no properties yet:
 * those are in their own Directory.
 */
export function childrenOf(directory: Directory): Map<string, TreeNode> {
  const children = new Map<string, TreeNode>();
  for (const { name, isExecutable, ...file } of directory.files) {
    children.set(name, {
      type: "file",
      digest: Digest.fromProto(file.digest, `digest of "${name}"`),
      isExecutable,
      properties: file.nodeProperties,
    });
  }
  for (const { name, target, nodeProperties } of directory.symlinks) {
    const properties = nodeProperties;
    children.set(name, { type: "symlink", target, properties });
  }
  for (const { name, digest } of directory.directories) {
    children.set(name, {
      type: "directory",
      digest: Digest.fromProto(digest, `digest of "${name}"`),
      properties: undefined,
    });
  }
  return children;
}

/**
 * Whether two nodes are equal by what their parent and their own properties
 * say; what lies in directories is not compared.
 */
export function isSameNode(a: TreeNode, b: TreeNode): boolean {
  if (!isSameProperties(a.properties, b.properties)) return false;
  if (a.type === "file" && b.type === "file") {
    return a.digest.equals(b.digest) && a.isExecutable === b.isExecutable;
  }
  if (a.type === "symlink" && b.type === "symlink") {
    return a.target === b.target;
  }
  return a.type === "directory" && b.type === "directory";
}

function isSameProperties(
  a: NodeProperties | undefined,
  b: NodeProperties | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b;
  const bytes = NodeProperties.encode(a).finish();
  return Buffer.compare(bytes, NodeProperties.encode(b).finish()) === 0;
}
