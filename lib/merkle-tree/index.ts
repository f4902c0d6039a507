export { checkDirectory, decodeDirectory } from "./decode-directory.js";
export { type EncodedDirectory, encodeDirectory } from "./encode-directory.js";
export { type EncodedTree, encodeTree } from "./encode-tree.js";
export { resolveInputRootPath } from "./input-root-path.js";
export { type MergedTrees, mergeTrees } from "./merge-trees.js";
export { checkNodeName, compareNames } from "./node-name.js";
export {
  defaultTreeLimits,
  readDirectory,
  type TreeLimits,
  type WalkedDirectory,
  type WalkTreeOptions,
  walkTree,
} from "./walk-tree.js";
