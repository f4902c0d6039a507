import { createWriteStream } from "node:fs";
import { chmod, mkdir, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  type ActionResult,
  Directory,
  type FileNode,
  type SymlinkNode,
  Tree,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { Digest } from "../../../lib/digest/index.js";
import { checkDirectory } from "../../../lib/merkle-tree/index.js";

/** A file or symbolic link that an action left behind. */
export type Output = { readonly path: string } & (
  | { type: "file"; digest: Digest; isExecutable: boolean }
  | { type: "symlink"; target: string }
);

/** All files and symbolic links of a result, those in directories too. */
export async function listOutputs(
  result: ActionResult,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<Output[]> {
  const outputs: Output[] = result.outputFiles.map((file) =>
    fileOutput(file.path, file),
  );
  // Servers may repeat a link in the fields of older clients.
  const targets = new Map(
    [
      ...result.outputSymlinks,
      ...result.outputFileSymlinks,
      ...result.outputDirectorySymlinks,
    ].map(({ path, target }) => [path, target]),
  );
  for (const [path, target] of targets) {
    outputs.push({ type: "symlink", path, target });
  }
  for (const { path, treeDigest } of result.outputDirectories) {
    const digest = Digest.fromProto(treeDigest, "tree digest");
    const tree = Tree.decode(await cas.read(digest, context));
    const children = new Map(
      tree.children.map((child) => [
        Digest.of(Directory.encode(child).finish()).key,
        child,
      ]),
    );
    outputs.push(...listTree(path, tree.root, children));
  }
  return outputs.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function listTree(
  path: string,
  directory: Directory | undefined,
  children: ReadonlyMap<string, Directory>,
): Output[] {
  if (directory === undefined) return [];
  checkDirectory(directory); // a name could lead out of the output folder
  return [
    ...directory.files.map((file: FileNode) =>
      fileOutput(join(path, file.name), file),
    ),
    ...directory.symlinks.map(
      ({ name, target }: SymlinkNode): Output => ({
        type: "symlink",
        path: join(path, name),
        target,
      }),
    ),
    ...directory.directories.flatMap(({ name, digest }) =>
      listTree(
        join(path, name),
        children.get(Digest.fromProto(digest, "directory digest").key),
        children,
      ),
    ),
  ];
}

function fileOutput(
  path: string,
  file: Pick<FileNode, "digest" | "isExecutable">,
): Output {
  const digest = Digest.fromProto(file.digest, `digest of "${path}"`);
  return { type: "file", path, digest, isExecutable: file.isExecutable };
}

/**
 * Writes outputs beneath a folder, which is made; existing files go. Symbolic
 * links come last, the deepest first, so that none of them is ever followed.
 */
export async function saveOutputs(
  outputs: readonly Output[],
  folder: string,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<void> {
  const files = outputs.filter(({ type }) => type === "file");
  const links = outputs.filter(({ type }) => type === "symlink");
  for (const output of [...files, ...links.reverse()]) {
    const path = join(folder, join("/", output.path));
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    if (output.type === "symlink") await symlink(output.target, path);
    else {
      await pipeline(cas.open(output.digest, context), createWriteStream(path));
      await chmod(path, output.isExecutable ? 0o755 : 0o644);
    }
  }
}
