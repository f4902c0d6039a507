import { Directory } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../../../lib/digest/index.js";
import type { InputRoot } from "./input-root.js";

/** An image that the router has put around an action's own input root. */
export interface ImageAround {
  /** Equal exactly for the same image. */
  readonly key: string;
  /** The top directory that is the action's own. */
  readonly ownName: string;
}

/**
 * Finds the image around a nested input root; undefined where there is none,
 * or where it cannot be told which directory is the action's own.
 */
export function findImageAround(
  { root }: InputRoot,
  nested: Digest | undefined,
): ImageAround | undefined {
  if (nested === undefined) return undefined;
  const isOwn = ({ digest }: Directory["directories"][number]) =>
    Digest.fromProto(digest, "DirectoryNode.digest").equals(nested);
  const [own, another] = root.directories.filter(isOwn);
  if (own === undefined || another !== undefined) return undefined;
  const directories = root.directories.filter((node) => !isOwn(node));
  const data = Directory.encode({ ...root, directories }).finish();
  return { key: Digest.of(data).key, ownName: own.name };
}

/** What of an input root lies in one of its top directories, that included. */
export function partOf(inputRoot: InputRoot, name: string): InputRoot {
  const prefix = `${name}/`;
  const isWithin = (path: string) => path === name || path.startsWith(prefix);
  return {
    root: inputRoot.root,
    directories: inputRoot.directories.filter(isWithin),
    files: inputRoot.files.filter(({ path }) => isWithin(path)),
    symlinks: inputRoot.symlinks.filter(({ path }) => isWithin(path)),
  };
}
