import { join } from "node:path";

/** Who owns every entry of a store: what the sandbox maps (design, root store). */
export interface StoreOwner {
  readonly uid: number;
  readonly gid: number;
}

/** The identity of a file in the content store: bytes, mode and time. */
export interface ContentKey {
  /** SHA-256 of the bytes, lower-case hexadecimal. */
  readonly sha256: string;
  /** Permission bits as the image has them. */
  readonly mode: number;
  /** Modification time in whole seconds since 1970. */
  readonly mtimeSeconds: number;
}

/** Where things lie in a store; berth-exec reads the same layout. */
export interface StoreLayout {
  readonly directory: string;
  readonly files: string;
  readonly layers: string;
  readonly roots: string;
  readonly tmp: string;
  /** Locked by the one process that may write the store. */
  readonly lock: string;
  /** Holds the boot in which the store was last opened. */
  readonly boot: string;
}

/** The layout of the store in an absolute directory. */
export function storeLayout(directory: string): StoreLayout {
  return {
    directory,
    files: join(directory, "files"),
    layers: join(directory, "layers"),
    roots: join(directory, "roots"),
    tmp: join(directory, "tmp"),
    lock: join(directory, "lock"),
    boot: join(directory, "boot"),
  };
}

/** Where a layer's record lies once its files are durable. */
export function layerRecordPath(layout: StoreLayout, diffId: string): string {
  return join(layout.layers, diffId.slice("sha256:".length));
}

/** Where the root of a manifest's digest (64 hexadecimal digits) lies. */
export function rootPath(layout: StoreLayout, hex: string): string {
  return join(layout.roots, hex);
}

/** Begins the names of folders of `tmp/` that hold collected content files. */
export const trashPrefix = "trash-";

/**
 * Permission bits of a content file: the image's bits to read and execute. No
 * bit to write, since inodes are shared, and always one to read for the owner,
 * without which overlay cannot copy the file up.
 */
export function contentMode(mode: number): number {
  return (mode & 0o555) | 0o400;
}

/**
 * Permission bits of a directory: the image's, writable by nobody but the
 * owner, who must be able to make and remove entries.
 */
export function directoryMode(mode: number): number {
  return (mode & 0o755) | 0o700;
}

/**
 * A content file's path below `files/`. Variants, from 1 on, are further
 * inodes of equal content: an image's two files that are not linked to each
 * other must not be one inode, or `mv a b` refuses.
 */
export function contentPath(key: ContentKey, variant = 0): string {
  const mode = contentMode(key.mode).toString(8);
  const name = `${key.sha256}.${mode}.${key.mtimeSeconds}`;
  const folder = key.sha256.slice(0, 2);
  return variant === 0 ? `${folder}/${name}` : `${folder}/${name}.${variant}`;
}

/** The name that a content file has in a folder of the trash. */
export function trashName(contentPath: string): string {
  return contentPath.slice(3);
}

/** The folders of `files/`, by the first two digits of the digest. */
export const contentFolders: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);
