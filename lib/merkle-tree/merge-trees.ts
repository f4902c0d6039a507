import type {
  Directory,
  DirectoryNode,
  FileNode,
  SymlinkNode,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import { Digest } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { type EncodedDirectory, encodeDirectory } from "./encode-directory.js";
import { readDirectory } from "./walk-tree.js";

/** Levels that are merged; beneath, a tree is not from an image of ours. */
const maximumDepth = 300;

/** Most Directories that one merge makes, of all levels together. */
const maximumMerged = 200_000;

/** What a name stands for in one of the trees. */
type Named =
  | { readonly kind: "file"; readonly node: FileNode }
  | { readonly kind: "symlink"; readonly node: SymlinkNode }
  | { readonly kind: "directory"; readonly digests: readonly Digest[] };

/** Trees that lie over each other. */
export interface MergedTrees {
  readonly root: Digest;
  /** Directories that none of the trees had; they are in CAS now. */
  readonly made: readonly Digest[];
}

interface Merge {
  readonly cas: ContentAddressableStorage;
  readonly context: CasContext;
  readonly made: Map<string, EncodedDirectory>;
}

/**
 * Lays trees of CAS over each other, the lowest first: directories merge,
 * anything else of a later tree takes the place of what has its name in the
 * earlier ones. Only Directories that several trees have at one path are
 * read, and only what they become is new; it is stored before the root's
 * digest is given. The same trees always give the same digest. Throws as
 * walkTree does.
 */
export async function mergeTrees(
  cas: ContentAddressableStorage,
  roots: readonly Digest[],
  context: CasContext,
): Promise<MergedTrees> {
  const merge: Merge = { cas, context, made: new Map() };
  const root = await mergeDirectories(merge, roots, 0);
  // Bottom up is not needed: nobody knows the root before all are there.
  const made = await Promise.all(
    [...merge.made.values()].map(({ data }) => cas.write(data, context)),
  );
  return { root, made };
}

async function mergeDirectories(
  merge: Merge,
  digests: readonly Digest[],
  depth: number,
): Promise<Digest> {
  // Equal ones give nothing new, and most directories of two versions of an
  // image are equal. The later of two counts: [a, b, a] is b under a.
  const different = digests.filter(
    (digest, at) =>
      !digests.slice(at + 1).some((later) => later.equals(digest)),
  );
  const [first] = different;
  if (first === undefined) {
    throw new StatusError(Code.InvalidArgument, "There is no tree to merge");
  }
  if (different.length === 1) return first;
  if (depth > maximumDepth) throw beyond(`${maximumDepth} levels`);
  const read = await Promise.all(
    different.map((digest) => readDirectory(merge.cas, digest, merge.context)),
  );
  const encoded = await encode(
    merge,
    read.map(({ directory }) => directory),
    depth,
  );
  if (!different.some((digest) => digest.equals(encoded.digest))) {
    merge.made.set(encoded.digest.key, encoded);
    if (merge.made.size > maximumMerged) {
      throw beyond(`${maximumMerged} directories`);
    }
  }
  return encoded.digest;
}

async function encode(
  merge: Merge,
  layers: readonly Directory[],
  depth: number,
): Promise<EncodedDirectory> {
  const names = new Map<string, Named>();
  for (const layer of layers) lay(names, layer);
  const files: FileNode[] = [];
  const symlinks: SymlinkNode[] = [];
  const merging: Promise<DirectoryNode>[] = [];
  for (const [name, named] of names) {
    if (named.kind === "file") files.push(named.node);
    else if (named.kind === "symlink") symlinks.push(named.node);
    else {
      merging.push(
        mergeDirectories(merge, named.digests, depth + 1).then((digest) => ({
          name,
          digest: digest.toProto(),
        })),
      );
    }
  }
  const nodeProperties = layers.at(-1)?.nodeProperties;
  return encodeDirectory({
    files,
    symlinks,
    directories: await Promise.all(merging),
    ...(nodeProperties !== undefined && { nodeProperties }),
  });
}

function lay(names: Map<string, Named>, layer: Directory): void {
  for (const node of layer.files) names.set(node.name, { kind: "file", node });
  for (const node of layer.symlinks) {
    names.set(node.name, { kind: "symlink", node });
  }
  for (const { name, digest } of layer.directories) {
    const below = names.get(name);
    const own = Digest.fromProto(digest, "digest of directory");
    const digests =
      below?.kind === "directory" ? [...below.digests, own] : [own];
    names.set(name, { kind: "directory", digests });
  }
}

function beyond(what: string): StatusError {
  return new StatusError(
    Code.ResourceExhausted,
    `Trees that are merged must have at most ${what} in common`,
  );
}
