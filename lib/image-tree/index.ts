export type {
  DirectoryNode,
  FileNode,
  ImageNode,
  ImageTotals,
  ImageTree,
  SymlinkNode,
} from "./image-tree.js";
