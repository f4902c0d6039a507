import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errno } from "../../lib/status/index.js";
import { flagPathError } from "./flag-path-error.js";

/**
 * Makes a folder that a flag names, with those above it, where it is missing.
 * Throws FailedPrecondition, naming the flag. Not by mkdir's `recursive`: where
 * nothing can be made, as in /proc, Node would try for ever.
 */
export async function makeDirectory(flag: string, path: string): Promise<void> {
  const missing: string[] = [];
  let at = resolve(path);
  try {
    while (!(await isDirectory(at))) {
      missing.push(at);
      at = dirname(at);
    }
    for (const folder of missing.reverse()) {
      await mkdir(folder).catch(async (error: unknown) => {
        // Somebody else may make the same one at this moment.
        if (!(await isDirectory(folder))) throw error;
      });
    }
  } catch (error) {
    throw flagPathError(flag, path, error);
  }
}

/** False where nothing is; throws ENOTDIR for what is something else. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (errno(error) === "ENOENT") return false;
    throw error;
  }
  throw Object.assign(new Error("It is no folder"), { code: "ENOTDIR" });
}
