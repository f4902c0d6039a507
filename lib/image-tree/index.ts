export { buildImageTree } from "./build-image-tree.js";
export type {
  DirectoryNode,
  FileNode,
  ImageNode,
  ImageTotals,
  ImageTree,
  SymlinkNode,
} from "./image-tree.js";
export {
  defaultImageTreeLimits,
  type ImageTreeLimits,
} from "./image-tree-limits.js";
export type { ReplayableLayer } from "./layer-replay.js";
export { type ImageTreeStep, walkImageTree } from "./walk-image-tree.js";
