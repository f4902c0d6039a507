import type { DirectoryNode, FileNode, SymlinkNode } from "./image-tree.js";

/**
 * What the tree has at a path while layers are replayed. `layer` is the number
 * of the last layer that put something at this path or beneath it: whiteouts
 * of that layer leave it alone. Every path has a node of its own, hard links
 * too, since what a whiteout hides is a path.
 */
export type MutableNode =
  | MutableDirectory
  | MutableFile
  | MutableSymlink
  | MutableSpecial
  | PendingLink;

/** A directory; a later entry may change its mode and time. */
export interface MutableDirectory extends Omit<DirectoryNode, "children"> {
  mode: number;
  mtimeSeconds: number;
  readonly children: Map<string, MutableNode>;
  layer: number;
  /** The last layer that hid here what lower layers have. */
  hiddenBy: number;
}

/** A file; its group is known when the first link to it comes. */
export interface MutableFile extends FileNode {
  linkGroup: number | undefined;
  layer: number;
}

/** A symbolic link. */
export interface MutableSymlink extends SymlinkNode {
  layer: number;
}

/** A device or FIFO: keeps its place until all layers are replayed. */
export interface MutableSpecial {
  readonly type: "special";
  layer: number;
}

/** A hard link whose target is not there yet; gone when its layer ends. */
export interface PendingLink {
  readonly type: "pendingLink";
  readonly target: string;
  layer: number;
}

/** A directory that no archive spoke of, only of something in it. */
export function createDirectory(layer: number): MutableDirectory {
  return {
    type: "directory",
    mode: 0o755,
    mtimeSeconds: 0,
    children: new Map<string, never>(),
    layer,
    hiddenBy: -1,
  };
}
