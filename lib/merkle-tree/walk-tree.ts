import type { Directory } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import { Digest } from "../digest/index.js";
import { Code, StatusError, wrap } from "../status/index.js";
import { decodeDirectory } from "./decode-directory.js";
import { joinTreePath, quoteTreePath } from "./tree-path.js";

/** A Directory of a tree in CAS. */
export interface WalkedDirectory {
  readonly digest: Digest;
  readonly directory: Directory;
  /** As it lies in CAS. */
  readonly data: Uint8Array;
}

/** What a tree in CAS may cost its reader. */
export interface TreeLimits {
  /** Different Directories. */
  readonly directories: number;
  /** Nodes of all different Directories together. */
  readonly nodes: number;
  /** Of one Directory as it lies in CAS. */
  readonly directoryBytes: number;
  /** Components of a path. */
  readonly depth: number;
}

/** Ten times what a full desktop distribution has, as for image trees. */
export const defaultTreeLimits: TreeLimits = {
  directories: 1_000_000,
  nodes: 4_000_000,
  // A hundred thousand names. Who reads it holds it in memory, several times
  // as large; workers with virtual build directories take 2 to 16 MiB.
  directoryBytes: 16 * 2 ** 20,
  // As for layers.
  depth: 256,
};

/** Directories that are asked for at a time: one batch of common sizes. */
const concurrentReads = 500;

/** How a tree is walked. */
export interface WalkTreeOptions {
  readonly context: CasContext;
  /** Those not given are the default's. */
  readonly limits?: Partial<TreeLimits>;
  /**
   * Left out, with all beneath it that is not reached in another way: what
   * the caller knows already. Never asked about the root.
   */
  readonly skip?: (digest: Digest) => boolean;
}

/** A Directory that is to be read, and the shortest way to it. */
interface Place {
  readonly digest: Digest;
  readonly path: string;
  readonly depth: number;
}

/**
 * The Directories of a tree in CAS, each different one once, the root first
 * and none before one that names it. Each was verified and checked. Throws
 * NotFound naming the Directory that CAS does not have, InvalidArgument for a
 * malformed one, ResourceExhausted beyond the limits, and what CAS throws; all
 * with the path of the Directory.
 */
export async function* walkTree(
  cas: ContentAddressableStorage,
  root: Digest,
  { context, limits, skip }: WalkTreeOptions,
): AsyncGenerator<WalkedDirectory, void, void> {
  const most = { ...defaultTreeLimits, ...limits };
  const seen = new Set<string>([root.key]);
  let nodes = 0;
  const waiting: Place[] = [{ digest: root, path: "", depth: 0 }];
  while (waiting.length > 0) {
    const now = waiting.splice(0, concurrentReads);
    const read = await Promise.all(
      now.map((place) => readPlace(cas, place, { context, most })),
    );
    for (const { place, data } of read) {
      const { path, depth } = place;
      // One at a time: decoded they are several times as large.
      const walked = await naming(path, async () => ({
        digest: place.digest,
        directory: decodeDirectory(place.digest, data),
        data,
      }));
      const { files, directories, symlinks } = walked.directory;
      nodes += files.length + directories.length + symlinks.length;
      check(nodes, most.nodes, "nodes");
      for (const { name, digest: message } of directories) {
        const digest = Digest.fromProto(message, "digest of directory");
        if (seen.has(digest.key) || skip?.(digest) === true) continue;
        seen.add(digest.key);
        check(seen.size, most.directories, "directories");
        const at = joinTreePath(path, name);
        waiting.push({ digest, path: at, depth: depth + 1 });
      }
      yield walked;
    }
  }
}

/** Reads one Directory; throws as walkTree does, but knows no path. */
export async function readDirectory(
  cas: ContentAddressableStorage,
  digest: Digest,
  context: CasContext,
): Promise<WalkedDirectory> {
  const data = await readData(cas, digest, context);
  return { digest, directory: decodeDirectory(digest, data), data };
}

function readData(
  cas: ContentAddressableStorage,
  digest: Digest,
  context: CasContext,
): Promise<Uint8Array> {
  return cas.read(digest, context).catch((error: unknown) => {
    throw wrap(error, `Failed to read Directory "${digest}"`);
  });
}

function readPlace(
  cas: ContentAddressableStorage,
  place: Place,
  { context, most }: { context: CasContext; most: TreeLimits },
): Promise<{ place: Place; data: Uint8Array }> {
  return naming(place.path, async () => {
    check(place.depth, most.depth, "levels");
    checkSize(place.digest, most.directoryBytes);
    return { place, data: await readData(cas, place.digest, context) };
  });
}

/** Does something with a Directory; a failure names its path. */
async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw path === "" ? error : wrap(error, `At ${quoteTreePath(path)}`);
  }
}

/** By the size that its parent states, before anything is asked for. */
function checkSize(digest: Digest, limit: number): void {
  if (digest.sizeBytes <= limit) return;
  throw new StatusError(
    Code.ResourceExhausted,
    `Directory "${digest}" must have at most ${limit} bytes`,
  );
}

function check(value: number, limit: number, what: string): void {
  if (value <= limit) return;
  throw new StatusError(
    Code.ResourceExhausted,
    `Tree in CAS must have at most ${limit} ${what}`,
  );
}
