import { constants } from "node:fs";
import {
  chmod,
  lutimes,
  mkdir,
  open,
  readdir,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { join } from "node:path";
import { listTree, type TreePath } from "../../../lib/merkle-tree/index.js";
import { errno, wrap } from "../../../lib/status/index.js";
import { flagPathError } from "../flag-path-error.js";
import { checkNewOrEmpty } from "./export-target-directory.js";
import { permissionsOf } from "./format-node.js";
import { type ReadableTreePath, readFilesAhead } from "./read-files-ahead.js";
import { count, type ExportedTree, type TreeTotals } from "./tree-tar.js";

/** Files that are written at a time; each may wait for CAS or the disk. */
const filesAtATime = 32;

/**
 * Writes a tree to a folder that is new or empty, with permissions (no set-ID
 * bits) and times; what was written is removed on a failure. Everything is
 * made exclusively: a name that is there already, whatever it is, ends the
 * export, so that no link on disk is followed. Throws FailedPrecondition for a
 * folder that holds something.
 */
export async function exportTreeToFolder(
  tree: ExportedTree,
  folder: string,
): Promise<TreeTotals> {
  const isNew = await prepare(folder);
  try {
    return await write(tree, folder);
  } catch (error) {
    await removeWritten(folder, isNew).catch((removal: unknown) => {
      throw wrap(
        error,
        `Failed to remove what was written to "${folder}" (${errno(removal)}), which is not all of the tree`,
      );
    });
    throw wrap(error, `Failed to export to "${folder}", nothing is left there`);
  }
}

/** Whether the folder was made here. */
async function prepare(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errno(error) !== "EEXIST") {
      throw flagPathError(undefined, folder, error);
    }
  }
  await checkNewOrEmpty(folder);
  return false;
}

async function write(
  { cas, rootDigest, context }: ExportedTree,
  folder: string,
): Promise<TreeTotals> {
  const totals = { files: 0, directories: 0, links: 0, bytes: 0 };
  const directories: TreePath[] = [];
  const writing = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  try {
    const paths = listTree(cas, rootDigest, { context });
    for await (const each of readFilesAhead(paths, { cas, context })) {
      context.signal?.throwIfAborted();
      if (failure !== undefined) throw failure.error;
      count(totals, each.node);
      if (each.node.type === "directory") {
        directories.push(each);
        if (each.path !== "") await attempt(each, () => make(folder, each));
        continue;
      }
      const one = attempt(each, () => make(folder, each))
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => writing.delete(one));
      writing.add(one);
      if (writing.size >= filesAtATime) await Promise.race(writing);
    }
  } finally {
    await Promise.all(writing);
  }
  if (failure !== undefined) throw failure.error;
  // From the bottom, since a directory may be closed to its own owner, and
  // its time changes with what is put into it.
  for (const each of directories.reverse()) {
    await attempt(each, () => finish(join(folder, each.path), each));
  }
  return totals;
}

async function attempt(
  { path }: TreePath,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw wrap(error, `"/${path}"`);
  }
}

async function make(
  folder: string,
  { path, node, open: read }: ReadableTreePath,
): Promise<void> {
  const to = join(folder, path);
  if (node.type === "directory") {
    await mkdir(to, { mode: 0o700 });
    return;
  }
  const mtime = node.properties?.mtime?.seconds;
  if (node.type === "symlink") {
    await symlink(node.target, to);
    if (mtime !== undefined) await lutimes(to, mtime, mtime);
    return;
  }
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  const flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY;
  const file = await open(to, flags, 0o600);
  try {
    for await (const piece of read()) await file.writeFile(piece);
    await file.chmod(permissionsOf(node));
    if (mtime !== undefined) await file.utimes(mtime, mtime);
  } finally {
    await file.close();
  }
}

async function finish(path: string, { node }: TreePath): Promise<void> {
  await chmod(path, permissionsOf(node));
  const mtime = node.properties?.mtime?.seconds;
  if (mtime !== undefined) await utimes(path, mtime, mtime);
}

async function removeWritten(folder: string, isNew: boolean): Promise<void> {
  if (isNew) {
    await rm(folder, { recursive: true, force: true });
    return;
  }
  for (const name of await readdir(folder)) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}
