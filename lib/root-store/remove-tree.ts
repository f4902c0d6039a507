import { lstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { type DiskPath, entryPath } from "./disk-path.js";

/**
 * Removes a file, or a directory with all that is in it; nothing if there is
 * none. Unlike Node's rm, names may be any bytes. Links are not followed.
 * Synchronous, for a worker thread. Errors are those of Node.
 */
export function removeTree(path: DiskPath): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isDirectory()) {
    unlinkSync(path);
    return;
  }
  const directories = [path];
  // `directories` grows while it is walked: parents come before children.
  for (const directory of directories) {
    const entries = readdirSync(directory, {
      encoding: "latin1",
      withFileTypes: true,
    });
    for (const entry of entries) {
      const child = entryPath(directory, entry.name);
      if (entry.isDirectory()) directories.push(child);
      else unlinkSync(child);
    }
  }
  for (const directory of directories.reverse()) rmdirSync(directory);
}
