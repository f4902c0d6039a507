import type { DroppedCounts } from "../layer/index.js";

/** A directory of an image; its names are byte strings (latin1). */
export interface DirectoryNode {
  readonly type: "directory";
  /** Permission bits and the sticky bit. */
  readonly mode: number;
  readonly mtimeSeconds: number;
  /** In no particular order: walkImageTree sorts. */
  readonly children: ReadonlyMap<string, ImageNode>;
}

/** A file of an image: content by its hash, and what the content lacks. */
export interface FileNode {
  readonly type: "file";
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Permission bits. */
  readonly mode: number;
  readonly mtimeSeconds: number;
  /**
   * The same number in every path that the image hard-links to this file;
   * undefined where the image made no link. Nodes of one group are equal in
   * everything else. Unique within the tree, without meaning beyond it.
   */
  readonly linkGroup: number | undefined;
}

/** A symbolic link of an image. */
export interface SymlinkNode {
  readonly type: "symlink";
  /** A byte string, as the archive has it. */
  readonly target: string;
}

/** What an image can have at a path. */
export type ImageNode = DirectoryNode | FileNode | SymlinkNode;

/** How much an image holds. */
export interface ImageTotals {
  /** Paths that are files: hard links count each. */
  readonly files: number;
  /** The root included. */
  readonly directories: number;
  readonly symlinks: number;
  /** Content of all files; that of hard links once. */
  readonly sizeBytes: number;
}

/** The files of an image: all its layers replayed, nothing on disk. */
export interface ImageTree {
  readonly root: DirectoryNode;
  readonly totals: ImageTotals;
  /** Of all layers together. */
  readonly dropped: DroppedCounts;
}
