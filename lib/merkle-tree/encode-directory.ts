import {
  Directory,
  type DirectoryNode,
  type FileNode,
  type NodeProperties,
  type SymlinkNode,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";
import { checkDirectory } from "./decode-directory.js";
import { compareNames } from "./node-name.js";

/** A Directory as a blob. */
export interface EncodedDirectory {
  readonly directory: Directory;
  readonly digest: Digest;
  readonly data: Uint8Array;
}

/**
 * Makes a canonical Directory of nodes in any order: the same nodes always
 * give the same digest. Throws InvalidArgument on bad or repeated names.
 */
export function encodeDirectory(nodes: {
  files?: readonly FileNode[];
  directories?: readonly DirectoryNode[];
  symlinks?: readonly SymlinkNode[];
  nodeProperties?: NodeProperties | undefined;
}): EncodedDirectory {
  const directory: Directory = {
    files: sorted(nodes.files),
    directories: sorted(nodes.directories),
    symlinks: sorted(nodes.symlinks),
    nodeProperties: nodes.nodeProperties,
  };
  checkDirectory(directory);
  const data = Directory.encode(directory).finish();
  return { directory, digest: Digest.of(data), data };
}

function sorted<Node extends { readonly name: string }>(
  nodes: readonly Node[] = [],
): Node[] {
  return [...nodes].sort((a, b) => compareNames(a.name, b.name));
}
