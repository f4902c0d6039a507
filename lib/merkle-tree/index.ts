export { checkDirectory, decodeDirectory } from "./decode-directory.js";
export { diffTrees, type TreeChange } from "./diff-trees.js";
export { type EncodedDirectory, encodeDirectory } from "./encode-directory.js";
export { type EncodedTree, encodeTree } from "./encode-tree.js";
export { expandTree, type TreeEntry } from "./expand-tree.js";
export { resolveInputRootPath } from "./input-root-path.js";
export { type ListTreeOptions, listTree } from "./list-tree.js";
export {
  defaultExpandedTreeLimits,
  type ExpandedTreeLimits,
  type LoadedTree,
  loadTree,
} from "./load-tree.js";
export { type MergedTrees, mergeTrees } from "./merge-trees.js";
export { checkNodeName, compareNames } from "./node-name.js";
export { resolveTreePath } from "./resolve-tree-path.js";
export type { TreeNode, TreePath } from "./tree-node.js";
export { quoteTreePath } from "./tree-path.js";
export type { TreeTotals } from "./tree-shape.js";
export {
  defaultTreeLimits,
  readDirectory,
  type TreeLimits,
  type WalkedDirectory,
  type WalkTreeOptions,
  walkTree,
} from "./walk-tree.js";
