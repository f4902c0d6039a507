import { createReadStream } from "node:fs";
import { readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import type {
  DirectoryNode,
  FileNode,
  SymlinkNode,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import { encodeDirectory } from "../../../lib/merkle-tree/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { flagPathError } from "../flag-path-error.js";
import { digestOfFile } from "./digest-of-file.js";

/**
 * Stores a folder of this machine as a tree in CAS and gives the digest of
 * its root Directory. Symbolic links are kept as they are; sockets, devices
 * and FIFOs are refused with InvalidArgument.
 */
export async function uploadDirectory(
  folder: string,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<Digest> {
  const files: FileNode[] = [];
  const directories: DirectoryNode[] = [];
  const symlinks: SymlinkNode[] = [];
  for (const entry of await listDirectory(folder)) {
    const { name } = entry;
    const path = join(folder, name);
    if (entry.isFile()) {
      files.push({ name, ...(await uploadFile(path, cas, context)) });
    } else if (entry.isDirectory()) {
      const digest = await uploadDirectory(path, cas, context);
      directories.push({ name, digest: digest.toProto() });
    } else if (entry.isSymbolicLink()) {
      symlinks.push({
        name,
        target: await readlink(path),
        nodeProperties: undefined,
      });
    } else {
      throw new StatusError(
        Code.InvalidArgument,
        `"${path}" is neither file, directory nor symbolic link, and cannot be an input`,
      );
    }
  }
  const { data } = encodeDirectory({ files, directories, symlinks });
  return cas.write(data, context);
}

async function listDirectory(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw flagPathError("--input", folder, error);
  }
}

async function uploadFile(
  path: string,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<Omit<FileNode, "name">> {
  const digest = await digestOfFile(path).catch((error: unknown) => {
    throw flagPathError("--input", path, error);
  });
  await cas.writeStream(digest, () => createReadStream(path), context);
  const { mode } = await stat(path);
  return {
    digest: digest.toProto(),
    isExecutable: (mode & 0o100) !== 0,
    nodeProperties: undefined,
  };
}
