import {
  type Directory,
  Tree,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";
import type { EncodedDirectory } from "./encode-directory.js";

/** A Tree message as a blob. */
export interface EncodedTree {
  readonly digest: Digest;
  readonly data: Uint8Array;
}

/**
 * Makes the Tree of an output directory: each distinct Directory once, a
 * parent always before its children (REAPI, OutputDirectory,
 * `is_topologically_sorted`). `directories` holds the root and all that is
 * reached from it, in any order, repeats allowed.
 */
export function encodeTree(
  root: EncodedDirectory,
  directories: readonly EncodedDirectory[],
): EncodedTree {
  const byKey = new Map(directories.map((each) => [each.digest.key, each]));
  const order: EncodedDirectory[] = [];
  visit(root, { byKey, order, seen: new Set() });
  const children: Directory[] = order
    .reverse()
    .filter(({ digest }) => !digest.equals(root.digest))
    .map(({ directory }) => directory);
  const data = Tree.encode({ root: root.directory, children }).finish();
  return { digest: Digest.of(data), data };
}

/** Appends a Directory after all that lies beneath it. */
function visit(
  node: EncodedDirectory,
  walk: {
    readonly byKey: ReadonlyMap<string, EncodedDirectory>;
    readonly order: EncodedDirectory[];
    readonly seen: Set<string>;
  },
): void {
  if (walk.seen.has(node.digest.key)) return;
  walk.seen.add(node.digest.key);
  for (const { digest } of node.directory.directories) {
    const child = walk.byKey.get(Digest.fromProto(digest, "digest").key);
    if (child === undefined) {
      throw new RangeError("A Directory of the tree was not given");
    }
    visit(child, walk);
  }
  walk.order.push(node);
}
