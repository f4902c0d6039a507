/**
 * One entry of a layer, as the archive states it, in our canonical form.
 *
 * Paths are byte strings: one character per byte (latin1), so that every name
 * that Linux can hold survives. They are relative and normalised: components
 * joined by "/", none of them empty, "." or ".."; "" is the root itself, which
 * only a directory or an opaque whiteout can be. No component of a path is
 * known to be a directory: that is for the image tree to find out.
 */
export type LayerEntry =
  | {
      readonly type: "directory";
      readonly path: string;
      /** Permission bits and the sticky bit (0o1777 at most). */
      readonly mode: number;
      /** Whole seconds since 1970, rounded down; may be negative. */
      readonly mtimeSeconds: number;
    }
  | {
      readonly type: "file";
      readonly path: string;
      /** Permission bits (0o777 at most): no setuid, setgid or sticky. */
      readonly mode: number;
      readonly mtimeSeconds: number;
      /** Of the content as it is read: holes of a sparse file count. */
      readonly sizeBytes: number;
      /** 64 hexadecimal digits, over the content as it is read. */
      readonly sha256: string;
    }
  | {
      readonly type: "symlink";
      readonly path: string;
      /** A byte string as in the archive: not normalised, not resolved. */
      readonly target: string;
    }
  | {
      readonly type: "hardLink";
      readonly path: string;
      /** Normalised like a path; what it names may come later in the layer. */
      readonly target: string;
    }
  /** Hides what lower layers have at this path. */
  | { readonly type: "whiteout"; readonly path: string }
  /** Hides what lower layers have beneath this directory. */
  | { readonly type: "opaque"; readonly path: string }
  /** A device or FIFO: not kept, but it takes the place of what was there. */
  | { readonly type: "special"; readonly path: string };

/** What an image has and its root does not: counted, and left out. */
export interface DroppedCounts {
  /** Character and block devices. */
  readonly devices: number;
  readonly fifos: number;
  /** Extended attributes, file capabilities among them; one each. */
  readonly xattrs: number;
  /** Files with setuid or setgid, whose other bits are kept. */
  readonly setIds: number;
  /** Metadata of the AUFS driver (".wh..wh.plnk" and the like). */
  readonly aufs: number;
}

/** A layer that was read and verified to its last byte. */
export interface Layer {
  /** "sha256:" and 64 hexadecimal digits, over the uncompressed archive. */
  readonly diffId: string;
  /** In the order of the archive, which matters. */
  readonly entries: readonly LayerEntry[];
  readonly dropped: DroppedCounts;
}
