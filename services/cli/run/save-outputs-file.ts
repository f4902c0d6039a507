import { randomUUID } from "node:crypto";
import { createWriteStream, rmSync } from "node:fs";
import { chmod, rename, rm, symlink } from "node:fs/promises";
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
import { errno } from "../../../lib/status/index.js";
import { flagPathError } from "../flag-path-error.js";
import { makeDirectory } from "../make-directory.js";

/** A file, symbolic link or empty directory that an action left behind. */
export type Output = { readonly path: string } & (
  | { type: "file"; digest: Digest; isExecutable: boolean }
  | { type: "symlink"; target: string }
  | { type: "directory" }
);

/** All that a result has, in directories too; only empty ones are listed. */
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
  const { files, symlinks, directories } = directory;
  if (files.length + symlinks.length + directories.length === 0) {
    return [{ type: "directory", path }];
  }
  return [
    ...files.map((file: FileNode) => fileOutput(join(path, file.name), file)),
    ...symlinks.map(
      ({ name, target }: SymlinkNode): Output => ({
        type: "symlink",
        path: join(path, name),
        target,
      }),
    ),
    ...directories.flatMap(({ name, digest }) =>
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
 * A file appears when it is complete: none is left in part, whatever happens.
 * Throws FailedPrecondition, naming --output-folder, for what is in the way.
 */
export async function saveOutputs(
  outputs: readonly Output[],
  folder: string,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<void> {
  const others = outputs.filter(({ type }) => type !== "symlink");
  const links = outputs.filter(({ type }) => type === "symlink");
  for (const output of [...others, ...links.reverse()]) {
    const path = join(folder, join("/", output.path));
    const parent = output.type === "directory" ? path : dirname(path);
    await makeDirectory(flag, parent);
    try {
      if (output.type === "symlink") await saveLink(output.target, path);
      if (output.type === "file") await saveFile(output, path, cas, context);
    } catch (error) {
      throw flagPathError(flag, path, error);
    }
  }
}

const flag = "--output-folder";

async function saveLink(target: string, path: string): Promise<void> {
  await rm(path, { force: true }).catch(asDirectory);
  await symlink(target, path);
}

/** Node's own code for a folder that rm() refuses is no errno. */
function asDirectory(error: unknown): never {
  if (errno(error) !== "ERR_FS_EISDIR") throw error;
  throw Object.assign(new Error("It is a folder"), { code: "EISDIR" });
}

async function saveFile(
  { digest, isExecutable }: Extract<Output, { type: "file" }>,
  path: string,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<void> {
  const part = join(dirname(path), `.berth-${randomUUID()}.part`);
  // A second interrupt ends the process at once, without any `finally`.
  const remove = () => rmSync(part, { force: true });
  process.once("exit", remove);
  try {
    const { signal } = context;
    await pipeline(
      cas.open(digest, context),
      createWriteStream(part, { flags: "wx" }),
      signal === undefined ? {} : { signal },
    );
    await chmod(part, isExecutable ? 0o755 : 0o644);
    await rename(part, path);
  } finally {
    process.off("exit", remove);
    remove(); // of no effect once it was renamed
  }
}
