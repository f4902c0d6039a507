import {
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import type {
  DirectoryNode,
  FileNode,
  ImageNode,
  ImageTree,
} from "../image-tree/index.js";
import { Code, errno, StatusError } from "../status/index.js";
import { quoteBytes } from "../tar/index.js";
import { copySparsely } from "./copy-sparsely.js";
import { type DiskPath, diskBytes, entryPath } from "./disk-path.js";
import { diskTime } from "./disk-time.js";
import type { SpaceAllowance, StoredContent } from "./space-allowance.js";
import {
  contentPath,
  directoryMode,
  type StoreLayout,
  type StoreOwner,
  trashName,
  trashPrefix,
} from "./store-layout.js";
import { VariantCounter } from "./variant-counter.js";

/** Longest path that the kernel takes (PATH_MAX less its NUL). */
const maximumPathBytes = 4095;

/**
 * For what may lie between `tmp/` and the names of an image:
 * "/leftovers-<uuid>/<64 digits>/rootfs/".
 */
const tmpReserve = 128;

/** Where a root is written, and from what. */
export interface RootFileWriterOptions {
  readonly layout: StoreLayout;
  /** A folder of `tmp/` that is this writer's alone. */
  readonly tmp: string;
  /** Owner of all entries; undefined where that is the process itself. */
  readonly owner: StoreOwner | undefined;
  /** Asked before a variant is made. */
  readonly allowance: SpaceAllowance;
}

/**
 * Writes a finished image tree to disk: directories, symbolic links, and hard
 * links into the content store. Nothing of an image is ever followed: every
 * parent is a directory that the writer itself made. Synchronous; errors are
 * those of Node and of the allowance, and InvalidArgument for a path that is
 * too long for the disk.
 */
export class RootFileWriter {
  /** Files that the store turned out to lack; the root is not usable then. */
  readonly missing: FileNode[] = [];
  /** Variants that had to be made. */
  readonly stored: StoredContent = { bytes: 0, inodes: 0 };
  readonly #made: string[] = [];
  readonly #options: RootFileWriterOptions;
  readonly #variants = new VariantCounter();
  /** By link group: the variant that its paths share. */
  readonly #groups = new Map<number, number>();

  constructor(options: RootFileWriterOptions) {
    this.#options = options;
  }

  /** Makes `directory`, which must not exist, and all of the tree in it. */
  write(tree: ImageTree, directory: string): void {
    const made: { path: DiskPath; node: DirectoryNode }[] = [];
    const make = (path: DiskPath, node: DirectoryNode) => {
      mkdirSync(path, directoryMode(node.mode));
      made.push({ path, node });
    };
    make(directory, tree.root);
    // `made` grows while it is walked: parents come before children.
    for (const { path, node } of made) {
      for (const [name, child] of node.children) {
        const childPath = entryPath(path, name);
        this.#checkLength(childPath, directory);
        if (child.type === "directory") make(childPath, child);
        else this.#writeLeaf(childPath, child);
      }
    }
    // Last, since every entry made in a directory changes its time.
    for (const { path, node } of made) this.#finish(path, node);
  }

  // Here and not by the kernel's ENAMETOOLONG: what can be written must also be
  // removable, from folders of `tmp/` that are a little further down.
  #checkLength(path: DiskPath, directory: string): void {
    const { layout } = this.#options;
    const room = maximumPathBytes - Buffer.byteLength(layout.tmp) - tmpReserve;
    const base = Buffer.byteLength(directory) + 1;
    const bytes = Buffer.byteLength(path) - base; // a text is all ASCII
    if (bytes <= room) return;
    const name = Buffer.from(path as string).toString("latin1", base);
    throw new StatusError(
      Code.InvalidArgument,
      `Path of entry ${quoteBytes(name)} must have at most ${room} bytes, so that it fits beneath the image store: current value has ${bytes}`,
    );
  }

  /** Takes the variants that were made out of the store: they have no use. */
  discardVariants(): void {
    for (const path of this.#made) rmSync(path, { force: true });
  }

  #finish(path: DiskPath, node: DirectoryNode): void {
    const { owner } = this.#options;
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    const time = diskTime(node.mtimeSeconds);
    utimesSync(path, time, time);
  }

  #writeLeaf(path: DiskPath, node: Exclude<ImageNode, DirectoryNode>): void {
    if (node.type === "file") {
      this.#link(path, node);
      return;
    }
    const { owner } = this.#options;
    symlinkSync(diskBytes(node.target), path);
    if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
  }

  #link(path: DiskPath, node: FileNode): void {
    const group = node.linkGroup;
    let variant = group === undefined ? undefined : this.#groups.get(group);
    for (;;) {
      variant ??= this.#variants.next(node);
      const outcome = this.#tryLink(path, node, variant);
      if (outcome === "full") {
        variant = undefined; // The inode has all links it can have.
        continue;
      }
      if (outcome === "missing") this.missing.push(node);
      if (group !== undefined) this.#groups.set(group, variant);
      return;
    }
  }

  #tryLink(
    path: DiskPath,
    node: FileNode,
    variant: number,
  ): "linked" | "full" | "missing" {
    const { files } = this.#options.layout;
    const content = join(files, contentPath(node, variant));
    for (let restored = false; ; restored = true) {
      try {
        linkSync(content, path);
        return "linked";
      } catch (error) {
        const code = errno(error);
        if (code === "EMLINK") return "full";
        if (code !== "ENOENT") throw error;
        if (restored || !this.#restore(node, variant)) return "missing";
      }
    }
  }

  /** Brings back what is being collected, or makes the variant. */
  #restore(node: FileNode, variant: number): boolean {
    const { files, tmp } = this.#options.layout;
    const name = contentPath(node, variant);
    for (const folder of readdirSync(tmp)) {
      if (!folder.startsWith(trashPrefix)) continue;
      const trashed = join(tmp, folder, trashName(name));
      if (ifPresent(() => linkSync(trashed, join(files, name)))) return true;
    }
    if (variant === 0) return false;
    const made = ifPresent(() => this.#copy(node, variant));
    // Without a first inode there is nothing to copy; it may be in the trash.
    return made || (this.#restore(node, 0) && this.#restore(node, variant));
  }

  #copy(node: FileNode, variant: number): void {
    const { layout, tmp, owner, allowance } = this.#options;
    const content = { bytes: node.sizeBytes, inodes: 1 };
    const copy = join(tmp, "variant");
    const path = join(layout.files, contentPath(node, variant));
    allowance.take(content);
    copySparsely(join(layout.files, contentPath(node)), copy);
    if (owner !== undefined) chownSync(copy, owner.uid, owner.gid);
    const time = diskTime(node.mtimeSeconds);
    utimesSync(copy, time, time);
    renameSync(copy, path);
    this.#made.push(path);
    this.stored.bytes += content.bytes;
    this.stored.inodes += content.inodes;
  }
}

/** Whether it was done; false if something was not there. */
function ifPresent(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    const code = errno(error);
    if (code === "ENOENT") return false;
    if (code === "EEXIST") return true; // another worker did the same
    throw error;
  }
}
