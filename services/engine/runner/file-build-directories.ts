import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";
import { makeOpenDirectory } from "./file-input-root.js";
import { removeTree } from "./remove-tree.js";

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
