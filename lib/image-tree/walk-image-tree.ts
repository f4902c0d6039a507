import type { DirectoryNode, ImageNode } from "./image-tree.js";

/** What a walk comes by. */
export interface ImageTreeStep {
  /** A byte string; "" for the root. */
  readonly path: string;
  readonly node: ImageNode;
}

/**
 * All of a tree: the root first, each directory before what is in it, names of
 * one directory in the order of their bytes, as REAPI sorts them. The tree
 * must not change meanwhile.
 */
export function* walkImageTree(root: DirectoryNode): Generator<ImageTreeStep> {
  // An explicit stack: nested generators cost a call per level and step.
  const stack: ImageTreeStep[] = [{ path: "", node: root }];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    yield step;
    const { path, node } = step;
    if (node.type !== "directory") continue;
    const prefix = path === "" ? "" : `${path}/`;
    // One character is one byte, so the default order is that of bytes.
    const names = [...node.children.keys()].sort().reverse();
    for (const name of names) {
      const child = node.children.get(name);
      if (child !== undefined) stack.push({ path: prefix + name, node: child });
    }
  }
}
