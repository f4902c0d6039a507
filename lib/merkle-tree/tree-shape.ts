import type { Directory } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";
import { joinTreePath } from "./tree-path.js";

/** What a tree comes to when all its paths are written out. */
export interface TreeTotals {
  /** Paths, without the root. */
  readonly entries: number;
  /** Components of the longest chain of names. */
  readonly depth: number;
  /** Of the longest path. */
  readonly longestPathBytes: number;
  /** Of all paths, and of the symbolic links' targets. */
  readonly nameBytes: number;
  /** Content of all files, equal ones counted each. */
  readonly contentBytes: number;
}

/** A Directory without its names. */
interface Shape {
  /** Of its own files and symbolic links. */
  readonly leaves: TreeTotals;
  readonly children: readonly { readonly key: string; readonly name: string }[];
}

const nothing: TreeTotals = {
  entries: 0,
  depth: 0,
  longestPathBytes: 0,
  nameBytes: 0,
  contentBytes: 0,
};

/**
 * Counts the paths of a tree without making them: a few Directories that hold
 * each other many times stand for more paths than any machine could write.
 */
export class TreeShape {
  readonly #shapes = new Map<string, Shape>();
  readonly #totals = new Map<string, TreeTotals>();

  /** Notes a Directory. */
  add(digest: Digest, directory: Directory): void {
    const { files, directories, symlinks } = directory;
    const leaves = { ...nothing };
    const leaf = (name: string) => {
      const bytes = Buffer.byteLength(name);
      leaves.entries++;
      leaves.depth = 1;
      leaves.longestPathBytes = Math.max(leaves.longestPathBytes, bytes);
      leaves.nameBytes += bytes;
    };
    for (const { name, digest: content } of files) {
      leaf(name);
      leaves.contentBytes += content?.sizeBytes ?? 0;
    }
    for (const { name, target } of symlinks) {
      leaf(name);
      leaves.nameBytes += Buffer.byteLength(target);
    }
    const children = directories.map(({ name, digest: child }) => ({
      key: Digest.fromProto(child, "digest of directory").key,
      name,
    }));
    this.#shapes.set(digest.key, { leaves, children });
  }

  /**
   * The totals of a tree all of whose Directories were noted. Numbers beyond
   * what a number can hold exactly are near enough for any limit.
   */
  totals(root: Digest): TreeTotals {
    const totals = this.#totals;
    const stack = [root.key];
    for (let key = stack.at(-1); key !== undefined; key = stack.at(-1)) {
      const { leaves, children } = this.#shape(key);
      const unknown = totals.has(key)
        ? []
        : children.filter((child) => !totals.has(child.key));
      if (unknown.length > 0) {
        for (const child of unknown) stack.push(child.key);
        continue;
      }
      stack.pop();
      if (totals.has(key)) continue;
      totals.set(
        key,
        children.reduce(
          (sum, child) => plus(sum, child.name, this.#total(child.key)),
          leaves,
        ),
      );
    }
    return this.#total(root.key);
  }

  /**
   * For an error text: the way down a tree whose totals were asked for, by the
   * child that has most of something, as long as it has more than `least`.
   */
  heaviestPath(root: Digest, what: keyof TreeTotals, least: number): string {
    let path = "";
    for (let key = root.key; ; ) {
      let heaviest: { key: string; name: string } | undefined;
      let most = least;
      for (const child of this.#shape(key).children) {
        const value = this.#total(child.key)[what];
        if (value > most) [heaviest, most] = [child, value];
      }
      if (heaviest === undefined) return path;
      path = joinTreePath(path, heaviest.name);
      key = heaviest.key;
    }
  }

  #total(key: string): TreeTotals {
    return this.#totals.get(key) ?? nothing;
  }

  #shape(key: string): Shape {
    const shape = this.#shapes.get(key);
    if (shape === undefined) {
      throw new RangeError("A Directory of the tree was not given");
    }
    return shape;
  }
}

/** With a directory of this name, and all that is in it. */
function plus(above: TreeTotals, name: string, below: TreeTotals): TreeTotals {
  const bytes = Buffer.byteLength(name);
  const longest =
    below.entries === 0 ? bytes : bytes + 1 + below.longestPathBytes;
  return {
    entries: above.entries + 1 + below.entries,
    depth: Math.max(above.depth, 1 + below.depth),
    longestPathBytes: Math.max(above.longestPathBytes, longest),
    nameBytes:
      above.nameBytes + bytes + below.nameBytes + below.entries * (bytes + 1),
    contentBytes: above.contentBytes + below.contentBytes,
  };
}
