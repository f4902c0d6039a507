import type { CasContext } from "../../../lib/cas/index.js";
import { Digest } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { CasReader } from "../cas-reader.js";
import { missingBlobsError } from "../missing-blobs.js";

/** An input root laid out flat, a directory always before what is in it. */
export interface InputRoot {
  /** Paths of directories beneath the root. */
  readonly directories: readonly string[];
  readonly files: readonly InputFile[];
  readonly symlinks: readonly InputSymlink[];
}

/** A file of an input root. */
export interface InputFile {
  readonly path: string;
  readonly digest: Digest;
  readonly isExecutable: boolean;
}

/** A symlink of an input root; its target is never followed by us. */
export interface InputSymlink {
  readonly path: string;
  readonly target: string;
}

/** Entries of an input root at most: a tree of shared Directories can unfold
 * to any size, whatever its blobs are. */
const maximumEntries = 2_000_000;

/** Path length that Linux takes, less room for the build directory. */
const maximumPathLength = 3_500;

/**
 * Reads all Directories of an input root. Throws FailedPrecondition that
 * lists every missing Directory at once, InvalidArgument for malformed ones,
 * ResourceExhausted for a tree beyond the limits. Whether the files' blobs
 * are there is for the caller to ask.
 */
export async function readInputRoot(
  reader: CasReader,
  root: Digest,
  context: CasContext,
): Promise<InputRoot> {
  const directories: string[] = [];
  const files: InputFile[] = [];
  const symlinks: InputSymlink[] = [];
  const missing = new Map<string, Digest>();
  const queue: { path: string; digest: Digest }[] = [];
  const prefixOf = (path: string) => (path === "" ? "" : `${path}/`);

  for (
    let next: { path: string; digest: Digest } | undefined = {
      path: "",
      digest: root,
    };
    next !== undefined;
    next = queue.pop()
  ) {
    const directory = await reader.directory(next.digest, context);
    if (directory === undefined) {
      missing.set(next.digest.key, next.digest);
      continue;
    }
    const prefix = prefixOf(next.path);
    for (const { name, digest, isExecutable } of directory.files) {
      files.push({
        path: prefix + name,
        digest: Digest.fromProto(digest, "FileNode.digest"),
        isExecutable,
      });
    }
    for (const { name, target } of directory.symlinks) {
      symlinks.push({ path: prefix + name, target });
    }
    for (const { name, digest } of directory.directories) {
      directories.push(prefix + name);
      queue.push({
        path: prefix + name,
        digest: Digest.fromProto(digest, "DirectoryNode.digest"),
      });
    }
    checkLimits(prefix, directories.length + files.length + symlinks.length);
    context.signal?.throwIfAborted();
  }
  if (missing.size > 0) throw missingBlobsError([...missing.values()]);
  return { directories, files, symlinks };
}

function checkLimits(prefix: string, entries: number): void {
  if (entries <= maximumEntries && prefix.length <= maximumPathLength) return;
  throw new StatusError(
    Code.ResourceExhausted,
    `Input root must hold at most ${maximumEntries} entries and paths of at most ${maximumPathLength} characters`,
  );
}
