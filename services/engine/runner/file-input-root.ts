import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { FileContentAddressableStorage } from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import { missingBlobsError } from "../missing-blobs.js";
import type { ImageAround } from "./image-around.js";
import type { InputRoot } from "./input-root.js";

/** Entries made before other work gets its turn: about 5 ms. */
const entriesPerTurn = 400;

/** How input files come into a build directory (see FileCas.place). */
export type PlacementMethod = "link" | "copy";

/**
 * Keeps all files of an input root from eviction, and gives the function that
 * ends this. Throws FailedPrecondition listing every missing blob.
 */
export function pinInputRoot(
  cas: FileContentAddressableStorage,
  inputRoot: InputRoot,
): () => void {
  const missing = new Map<string, Digest>();
  for (const { digest } of inputRoot.files) {
    if (!cas.has(digest)) missing.set(digest.key, digest);
  }
  if (missing.size > 0) throw missingBlobsError([...missing.values()]);
  for (const { digest } of inputRoot.files) cas.pin(digest);
  return () => {
    for (const { digest } of inputRoot.files) cas.unpin(digest);
  };
}

/**
 * How each file of an input root comes into its build directory. Of an input
 * root with an image around the action's own, the image's files are linked
 * whatever holds for others: the router has put the helper before the command,
 * which shows them to the action by way of an overlay, and so never a path
 * through which their inodes could be changed.
 */
export function placementOf(
  image: ImageAround | undefined,
  usual: PlacementMethod,
): (path: string) => PlacementMethod {
  if (image === undefined) return () => usual;
  const own = `${image.ownName}/`;
  return (path) => (path.startsWith(own) ? usual : "link");
}

/**
 * Lays out an input root in an empty directory: directories anyone may write
 * to, read-only files, symlinks as they are. Nothing of it is followed: every
 * path is made by us, directories before what they hold, symlinks last.
 */
export async function writeInputRoot(
  directory: string,
  inputRoot: InputRoot,
  options: {
    cas: FileContentAddressableStorage;
    how: (path: string) => PlacementMethod;
    signal: AbortSignal;
  },
): Promise<void> {
  const { cas, how, signal } = options;
  let made = 0;
  const pause = async () => {
    if (++made % entriesPerTurn !== 0) return;
    await yieldToOthers();
    signal.throwIfAborted();
  };
  for (const path of inputRoot.directories) {
    makeOpenDirectory(`${directory}/${path}`);
    await pause();
  }
  for (const { path, digest, isExecutable } of inputRoot.files) {
    const executable = isExecutable;
    try {
      cas.place(digest, `${directory}/${path}`, { executable, how: how(path) });
    } catch (error) {
      // Its file went behind the store's back.
      if (toStatusError(error).code !== Code.NotFound) throw error;
      throw missingBlobsError([digest]);
    }
    await pause();
  }
  for (const { path, target } of inputRoot.symlinks) {
    symlinkSync(target, `${directory}/${path}`);
    await pause();
  }
}

/** Makes a directory of mode 0777, whatever the umask is. */
export function makeOpenDirectory(path: string): void {
  mkdirSync(path);
  chmodSync(path, 0o777);
}

/**
 * The directories, parents first, that must exist for an action to begin and
 * are not in the input root: its working directory and the parents of its
 * outputs (REAPI, Command.output_paths). Throws InvalidArgument where the
 * input root has a file or symlink in that place.
 */
export function directoriesToAdd(
  inputRoot: InputRoot,
  wanted: Iterable<string>,
): string[] {
  const existing = new Set(inputRoot.directories);
  const others = new Set(
    [...inputRoot.files, ...inputRoot.symlinks].map(({ path }) => path),
  );
  const added: string[] = [];
  for (const path of wanted) {
    if (path === "" || existing.has(path)) continue;
    const components = path.split("/");
    for (let depth = 1; depth <= components.length; depth++) {
      const parent = components.slice(0, depth).join("/");
      if (others.has(parent)) {
        throw new StatusError(
          Code.InvalidArgument,
          `Directory "${parent}" is needed for the working directory or an output, and is no directory in the input root`,
        );
      }
      if (existing.has(parent)) continue;
      existing.add(parent);
      added.push(parent);
    }
  }
  return added;
}
