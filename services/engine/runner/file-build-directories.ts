import { randomBytes } from "node:crypto";
import {
  chmodSync,
  type Dirent,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { dirname } from "node:path";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";
import { makeOpenDirectory } from "./file-input-root.js";

/** Entries removed before other work gets its turn. */
const entriesPerTurn = 400;

/** The directory of one action. */
export interface BuildDirectory {
  /** Holds all else; cannot be listed or guessed by other actions. */
  readonly path: string;
  /** The input root. */
  readonly root: string;
}

/** Makes the directories in which actions run: "{directory}/{id}/root". */
export class FileBuildDirectories {
  readonly #directory: string;
  readonly #unreachable: string | undefined;

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

  create(): BuildDirectory {
    const path = `${this.#directory}/${randomBytes(12).toString("hex")}`;
    try {
      mkdirSync(path, { mode: 0o711 });
      makeOpenDirectory(`${path}/root`);
    } catch (error) {
      throw wrap(error, "Failed to make a build directory");
    }
    return { path, root: `${path}/root` };
  }

  /** Removes one; everything that ran in it must be dead. */
  async remove({ path }: BuildDirectory): Promise<void> {
    await removeTree(path);
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
 * each: an action may use names that are no UTF-8.
 */
async function removeTree(path: string): Promise<void> {
  const root = Buffer.from(path).toString("latin1");
  if (!lstatSync(path).isDirectory()) return unlinkSync(path);
  let removed = 0;
  const stack = [{ path: root, entered: false }];
  for (let next = stack.at(-1); next !== undefined; next = stack.at(-1)) {
    if (next.entered) {
      rmdirSync(bytes(next.path));
      stack.pop();
      continue;
    }
    next.entered = true;
    for (const entry of list(next.path)) {
      const child = `${next.path}/${entry.name}`;
      if (entry.isDirectory()) stack.push({ path: child, entered: false });
      else unlinkSync(bytes(child));
      if (++removed % entriesPerTurn === 0) await yieldToOthers();
    }
  }
}

function bytes(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

function list(path: string): Dirent[] {
  // Root may remove from any directory; others only from what they may write.
  if (process.getuid?.() !== 0) chmodSync(bytes(path), 0o700);
  return readdirSync(bytes(path), { withFileTypes: true, encoding: "latin1" });
}
