import type { Directory } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import { Digest } from "../digest/index.js";
import { Code, StatusError, wrap } from "../status/index.js";
import { decodeDirectory } from "./decode-directory.js";

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
}

/** Ten times what a full desktop distribution has, as for image trees. */
export const defaultTreeLimits: TreeLimits = {
  directories: 1_000_000,
  nodes: 4_000_000,
};

/** Directories that are asked for at a time: one batch of common sizes. */
const concurrentReads = 500;

/** How a tree is walked. */
export interface WalkTreeOptions {
  readonly context: CasContext;
  readonly limits?: TreeLimits;
  /**
   * Left out, with all beneath it that is not reached in another way: what
   * the caller knows already. Never asked about the root.
   */
  readonly skip?: (digest: Digest) => boolean;
}

/**
 * The Directories of a tree in CAS, each different one once, the root first
 * and no child before a parent of it. Each was verified and checked. Throws
 * NotFound naming the Directory that CAS does not have, InvalidArgument for a
 * malformed one, ResourceExhausted beyond the limits, and what CAS throws.
 */
export async function* walkTree(
  cas: ContentAddressableStorage,
  root: Digest,
  { context, limits = defaultTreeLimits, skip }: WalkTreeOptions,
): AsyncGenerator<WalkedDirectory, void, void> {
  const seen = new Set<string>([root.key]);
  let nodes = 0;
  const waiting: Digest[] = [root];
  while (waiting.length > 0) {
    const now = waiting.splice(0, concurrentReads);
    const read = await Promise.all(
      now.map((digest) => readDirectory(cas, digest, context)),
    );
    for (const walked of read) {
      const { files, directories, symlinks } = walked.directory;
      nodes += files.length + directories.length + symlinks.length;
      check(nodes, limits.nodes, "nodes");
      for (const child of directories) {
        const digest = Digest.fromProto(child.digest, "digest of directory");
        if (seen.has(digest.key) || skip?.(digest) === true) continue;
        seen.add(digest.key);
        check(seen.size, limits.directories, "directories");
        waiting.push(digest);
      }
      yield walked;
    }
  }
}

/** Reads one Directory; throws as walkTree does. */
export async function readDirectory(
  cas: ContentAddressableStorage,
  digest: Digest,
  context: CasContext,
): Promise<WalkedDirectory> {
  const data = await cas.read(digest, context).catch((error: unknown) => {
    throw wrap(error, `Failed to read Directory "${digest}"`);
  });
  return { digest, directory: decodeDirectory(digest, data), data };
}

function check(value: number, limit: number, what: string): void {
  if (value <= limit) return;
  throw new StatusError(
    Code.ResourceExhausted,
    `Tree in CAS must have at most ${limit} ${what}`,
  );
}
