import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { compareNames } from "./node-name.js";
import { childrenOf, directoryNode, type TreePath } from "./tree-node.js";
import { readDirectory, type WalkedDirectory } from "./walk-tree.js";

/**
 * Paths that one tree is listed with at most: a few Directories that hold each
 * other many times stand for more than anyone can write.
 */
const maximumPaths = 4_000_000;

/** As for layers: each level is a generator within another. */
const maximumDepth = 256;

/** Directories of one level that are asked for before it is their turn. */
const readAhead = 64;

/** How a tree is listed. */
export interface ListTreeOptions {
  readonly context: CasContext;
  /** Default: all levels; false: the root, what it holds, and no further. */
  readonly isRecursive?: boolean;
  /** The root's own path; default "". */
  readonly path?: string;
}

interface Listing {
  readonly cas: ContentAddressableStorage;
  readonly context: CasContext;
  readonly isRecursive: boolean;
  paths: number;
}

/**
 * The paths of a tree in CAS, its root first, sorted by name in each
 * directory, a directory before what it holds. Directories are read as the
 * list goes on, a few ahead. Throws as readDirectory does, and
 * ResourceExhausted for a tree of more paths or levels than any image has.
 */
export async function* listTree(
  cas: ContentAddressableStorage,
  root: Digest,
  { context, isRecursive = true, path = "" }: ListTreeOptions,
): AsyncGenerator<TreePath, void, void> {
  const walked = await readDirectory(cas, root, context);
  const listing = { cas, context, isRecursive, paths: 0 };
  yield { path, node: directoryNode(walked) };
  yield* list(listing, walked, { path, depth: 0 });
}

async function* list(
  listing: Listing,
  { directory }: WalkedDirectory,
  at: { readonly path: string; readonly depth: number },
): AsyncGenerator<TreePath, void, void> {
  if (at.depth > maximumDepth) throw beyond(`${maximumDepth} levels`);
  const children = [...childrenOf(directory)].sort(([a], [b]) =>
    compareNames(a, b),
  );
  const next = readingAhead(
    listing,
    children.flatMap(([, node]) =>
      node.type === "directory" ? [node.digest] : [],
    ),
  );
  for (const [name, node] of children) {
    if (++listing.paths > maximumPaths) throw beyond(`${maximumPaths} paths`);
    const path = at.path === "" ? name : `${at.path}/${name}`;
    if (node.type !== "directory") {
      yield { path, node };
      continue;
    }
    const walked = await next();
    yield { path, node: directoryNode(walked) };
    if (!listing.isRecursive) continue;
    yield* list(listing, walked, { path, depth: at.depth + 1 });
  }
}

/** Gives the Directories one after the other, some being on their way. */
function readingAhead(
  { cas, context }: Listing,
  digests: readonly Digest[],
): () => Promise<WalkedDirectory> {
  const rest = digests.values();
  const ahead: Promise<WalkedDirectory>[] = [];
  const fill = () => {
    while (ahead.length < readAhead) {
      const { done, value } = rest.next();
      if (done === true) return;
      const reading = readDirectory(cas, value, context);
      reading.catch(() => {}); // told when it is its turn
      ahead.push(reading);
    }
  };
  return async () => {
    fill();
    const [first] = ahead.splice(0, 1);
    if (first === undefined) throw new RangeError("There are no more of them");
    return first;
  };
}

function beyond(what: string): StatusError {
  return new StatusError(
    Code.ResourceExhausted,
    `Tree in CAS must have at most ${what}`,
  );
}
