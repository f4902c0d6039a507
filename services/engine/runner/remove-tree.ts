import { randomUUID } from "node:crypto";
import { type Dirent, lstatSync } from "node:fs";
import { readdir, rename, rmdir, unlink } from "node:fs/promises";
import { HeldDirectory } from "./held-directory.js";

/** Directories within directories that are gone into before they move up. */
const maximumDepth = 32;

/**
 * Removes a tree that an action wrote. Nothing but the directory's own path is
 * resolved: another action may hold one within, and puts symlinks wherever it
 * likes meanwhile. A directory that lies too deep moves up first, so that no
 * more than so many are held. Names are bytes, one character each, as an
 * action may use some that are no UTF-8.
 */
export async function removeTree(path: string): Promise<void> {
  if (!lstatSync(path).isDirectory()) return unlink(path);
  {
    using top = HeldDirectory.open(path);
    // What was moved up here is found by looking again.
    for (;;) {
      const moved: string[] = [];
      await empty(top, { top, moved, depth: 0 });
      if (moved.length === 0) break;
    }
  }
  await rmdir(path);
}

interface Removal {
  readonly top: HeldDirectory;
  /** Names at the top of what moved there. */
  readonly moved: string[];
  readonly depth: number;
}

async function empty(
  directory: HeldDirectory,
  removal: Removal,
): Promise<void> {
  for (const entry of await list(directory)) {
    const path = bytes(directory.pathOf(entry.name));
    if (!entry.isDirectory()) await unlink(path);
    else if (removal.depth < maximumDepth) {
      {
        using inside = HeldDirectory.open(path);
        await empty(inside, { ...removal, depth: removal.depth + 1 });
      }
      await rmdir(path);
    } else await moveUp(path, removal);
  }
}

/** Moves a directory to the top, which takes the right to write to it. */
async function moveUp(path: Buffer, { top, moved }: Removal): Promise<void> {
  {
    using inside = HeldDirectory.open(path);
    inside.allow();
  }
  const name = randomUUID();
  await rename(path, top.pathOf(name));
  moved.push(name);
}

function list(directory: HeldDirectory): Promise<Dirent[]> {
  // Root may remove from any directory; others only from what they may write.
  directory.allow();
  const options = { withFileTypes: true, encoding: "latin1" } as const;
  return readdir(directory.path, options);
}

function bytes(path: string): Buffer {
  return Buffer.from(path, "latin1");
}
