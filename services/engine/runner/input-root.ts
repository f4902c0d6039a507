import {
  Directory,
  type DirectoryNode,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext } from "../../../lib/cas/index.js";
import { Digest } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { CasReader } from "../cas-reader.js";
import { missingBlobsError } from "../missing-blobs.js";

/** An input root laid out flat, a directory always before what is in it. */
export interface InputRoot {
  /** The root's own message. */
  readonly root: Directory;
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

/**
 * Entries of an input root at most: a tree of shared Directories can unfold
 * to any size, whatever its blobs are.
 */
const maximumEntries = 2_000_000;

/** Bytes of a path that Linux takes, less room for the build directory. */
export const maximumPathLength = 3_500;

/** Bytes that Linux takes. */
const maximumTargetBytes = 4_095;

/** Directories by the key of their digest. */
type Directories = ReadonlyMap<string, Directory>;

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
  const directories = await readDirectories(reader, root, context);
  // Counted before it is unfolded: that takes time for each entry, not for
  // each Directory.
  if (countEntries(root, directories) > maximumEntries) throw limitError();
  return unfold(root, directories);
}

/** Each Directory of the tree once, however often it is named. */
async function readDirectories(
  reader: CasReader,
  root: Digest,
  context: CasContext,
): Promise<Directories> {
  const found = new Map<string, Directory>();
  const missing = new Map<string, Digest>();
  const queue = [root];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (found.has(next.key) || missing.has(next.key)) continue;
    const directory = await reader.directory(next, context);
    if (directory === undefined) {
      missing.set(next.key, next);
      continue;
    }
    found.set(next.key, directory);
    queue.push(...directory.directories.map(digestOf));
    context.signal?.throwIfAborted();
  }
  if (missing.size > 0) throw missingBlobsError([...missing.values()]);
  return found;
}

/**
 * Entries beneath a Directory; children are counted before their parents, and
 * without a call stack, since a client chooses the depth.
 */
function countEntries(root: Digest, directories: Directories): number {
  const counts = new Map<string, number>();
  const path = [{ key: root.key, next: 0 }];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const directory = directories.get(top.key);
    const child = directory?.directories[top.next];
    if (child !== undefined) {
      const { key } = digestOf(child);
      if (counts.has(key)) top.next++;
      else path.push({ key, next: 0 });
      continue;
    }
    let count = 0;
    for (const node of directory?.directories ?? []) {
      count += 1 + (counts.get(digestOf(node).key) ?? 0);
    }
    count += (directory?.files.length ?? 0) + (directory?.symlinks.length ?? 0);
    counts.set(top.key, count);
    path.pop();
  }
  return counts.get(root.key) ?? 0;
}

function unfold(root: Digest, known: Directories): InputRoot {
  const directories: string[] = [];
  const files: InputFile[] = [];
  const symlinks: InputSymlink[] = [];
  const queue = [{ prefix: "", digest: root }];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { prefix, digest } = next;
    if (Buffer.byteLength(prefix) > maximumPathLength) throw limitError();
    const directory = known.get(digest.key);
    for (const node of directory?.files ?? []) {
      files.push({
        path: prefix + node.name,
        digest: Digest.fromProto(node.digest, "FileNode.digest"),
        isExecutable: node.isExecutable,
      });
    }
    for (const { name, target } of directory?.symlinks ?? []) {
      checkTarget(prefix + name, target);
      symlinks.push({ path: prefix + name, target });
    }
    for (const node of directory?.directories ?? []) {
      directories.push(prefix + node.name);
      queue.push({ prefix: `${prefix}${node.name}/`, digest: digestOf(node) });
    }
  }
  return {
    root: known.get(root.key) ?? Directory.fromPartial({}),
    directories,
    files,
    symlinks,
  };
}

function checkTarget(path: string, target: string): void {
  if (Buffer.byteLength(target) <= maximumTargetBytes) return;
  throw new StatusError(
    Code.InvalidArgument,
    `Target of symlink "${path}" must have at most ${maximumTargetBytes} bytes`,
  );
}

function digestOf(node: DirectoryNode): Digest {
  return Digest.fromProto(node.digest, "DirectoryNode.digest");
}

function limitError(): StatusError {
  return new StatusError(
    Code.ResourceExhausted,
    `Input root must hold at most ${maximumEntries} entries and paths of at most ${maximumPathLength} bytes`,
  );
}
