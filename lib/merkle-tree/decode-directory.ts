import { Directory } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";
import { Code, StatusError, wrap } from "../status/index.js";
import { checkNodeName, compareNames } from "./node-name.js";

/**
 * Decodes a Directory from CAS and checks what its reader relies on: names
 * are single components, sorted, and used once among files, directories and
 * symlinks; digests are well-formed; symlinks have a target. Throws
 * InvalidArgument naming the Directory and what is wrong.
 */
export function decodeDirectory(digest: Digest, data: Uint8Array): Directory {
  try {
    const directory = Directory.decode(data);
    checkDirectory(directory);
    return directory;
  } catch (error) {
    throw wrap(
      error,
      `Failed to read Directory "${digest}"`,
      Code.InvalidArgument,
    );
  }
}

/** The checks of decodeDirectory, for a Directory that is part of a Tree. */
export function checkDirectory(directory: Directory): void {
  const { files, directories, symlinks } = directory;
  for (const nodes of [files, directories, symlinks]) checkOrder(nodes);
  checkUnique(directory);
  for (const { name, digest } of [...files, ...directories]) {
    Digest.fromProto(digest, `digest of "${name}"`);
  }
  for (const { name, target } of symlinks) {
    if (target === "" || target.includes("\0")) {
      throw new StatusError(
        Code.InvalidArgument,
        `Symlink "${name}" must have a target`,
      );
    }
  }
}

function checkOrder(nodes: readonly { readonly name: string }[]): void {
  let previous: string | undefined;
  for (const { name } of nodes) {
    checkNodeName(name);
    if (previous !== undefined && compareNames(previous, name) >= 0) {
      throw new StatusError(
        Code.InvalidArgument,
        `Names must be sorted and used once: "${name}" comes after "${previous}"`,
      );
    }
    previous = name;
  }
}

function checkUnique({ files, directories, symlinks }: Directory): void {
  const kinds = [files, directories, symlinks].filter((list) => list.length);
  if (kinds.length < 2) return; // checkOrder has seen it
  const names = new Set<string>();
  for (const { name } of kinds.flat()) {
    if (names.has(name)) {
      throw new StatusError(
        Code.InvalidArgument,
        `Names must be sorted and used once: "${name}" is used twice`,
      );
    }
    names.add(name);
  }
}
