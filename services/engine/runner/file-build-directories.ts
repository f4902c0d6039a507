import { randomBytes, randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  type Dirent,
  mkdirSync,
  readdirSync,
  statSync,
} from "node:fs";
import { chmod, lstat, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";
import { makeOpenDirectory } from "./file-input-root.js";

/** Longest path, in bytes, below which a tree is removed where it stands. */
const maximumRemovedPath = 3_000;

/** Directories that wait for their removal before actions wait for it. */
const maximumRemovals = 32;

/** The directory of one action. */
export interface BuildDirectory {
  /** Holds all else; closed to all users but ours and one let in. */
  readonly path: string;
  /** The input root. */
  readonly root: string;
}

/** Makes the directories in which actions run: "{directory}/{id}/root". */
export class FileBuildDirectories {
  readonly #directory: string;
  readonly #unreachable: string | undefined;
  readonly #removals = new Set<Promise<void>>();

  /** Makes the directory if it is absent. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    // Entered, not listed: the names in it are the actions' secrets.
    chmodSync(directory, 0o711);
    this.#unreachable = findClosedParent(directory);
  }

  /**
   * Throws FailedPrecondition when other users than ours cannot reach the
   * directory: their commands would begin, and fail in strange ways.
   */
  checkReachable(): void {
    if (this.#unreachable === undefined) return;
    throw new StatusError(
      Code.FailedPrecondition,
      `Build directory "${this.#directory}" must be reachable for the users that commands run as: others may not enter "${this.#unreachable}"`,
    );
  }

  /** Removes what an earlier process left. No action may be running. */
  async clear(): Promise<void> {
    for (const name of readdirSync(this.#directory)) {
      await removeTree(`${this.#directory}/${name}`);
    }
  }

  /** Makes a directory that we alone can enter. */
  create(): BuildDirectory {
    const path = `${this.#directory}/${randomBytes(12).toString("hex")}`;
    try {
      // What an action writes through the helper is ours on disk, and may have
      // the setuid bit: no other user of this machine must get to it.
      mkdirSync(path, { mode: 0o700 });
      makeOpenDirectory(`${path}/root`);
    } catch (error) {
      throw wrap(error, "Failed to make a build directory");
    }
    return { path, root: `${path}/root` };
  }

  /** Lets the user of a command enter, and still no other. */
  letIn({ path }: BuildDirectory, { gid }: { readonly gid: number }): void {
    chownSync(path, -1, gid);
    chmodSync(path, 0o710);
  }

  /**
   * Closes one to all other users and removes it in the background;
   * everything that ran in it must be dead. Waits while too many are left.
   */
  async release(
    { path }: BuildDirectory,
    sink: (error: unknown) => void,
  ): Promise<void> {
    // First: who knows the name could else put symlinks in our way.
    chmodSync(path, 0o700);
    const removal = removeTree(path)
      .catch((error: unknown) => {
        sink(wrap(error, "Failed to remove a build directory"));
      })
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    if (this.#removals.size > maximumRemovals) {
      await Promise.race(this.#removals);
    }
  }

  /** Resolves when all that was released is gone. */
  async idle(): Promise<void> {
    await Promise.all(this.#removals);
  }
}

function findClosedParent(directory: string): string | undefined {
  for (let path = directory; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return path;
    if (path === dirname(path)) return undefined;
  }
}

/**
 * Removes a tree that an action wrote: symlinks are removed and not followed,
 * and modes that forbid it are changed first. Paths are bytes, one character
 * each: an action may use names that are no UTF-8. A tree may be deeper than
 * any path that the kernel takes: then its lower part is moved up.
 */
async function removeTree(path: string): Promise<void> {
  const root = Buffer.from(path).toString("latin1");
  if (!(await lstat(path)).isDirectory()) return unlink(path);
  const stack = [{ path: root, entered: false }];
  for (let next = stack.at(-1); next !== undefined; next = stack.at(-1)) {
    if (next.entered) {
      await rmdir(bytes(next.path));
      stack.pop();
      continue;
    }
    next.entered = true;
    for (const entry of await list(next.path)) {
      const child = `${next.path}/${entry.name}`;
      if (!entry.isDirectory()) await unlink(bytes(child));
      else if (child.length <= maximumRemovedPath) {
        stack.push({ path: child, entered: false });
      } else {
        // The action cannot write to the top, so the name is free.
        const moved = `${root}/${randomUUID()}`;
        await move(child, moved);
        stack.push({ path: moved, entered: false });
      }
    }
  }
}

/** Moves a directory, which takes the right to write to it. */
async function move(from: string, to: string): Promise<void> {
  if (process.getuid?.() !== 0) await chmod(bytes(from), 0o700);
  await rename(bytes(from), bytes(to));
}

function bytes(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

async function list(path: string): Promise<Dirent[]> {
  // Root may remove from any directory; others only from what they may write.
  if (process.getuid?.() !== 0) await chmod(bytes(path), 0o700);
  return readdir(bytes(path), { withFileTypes: true, encoding: "latin1" });
}
