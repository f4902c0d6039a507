import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Who owns the files of a store; unset: who runs it. */
export interface BlobOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Modification time of every blob, in seconds (2000-01-01): inputs of actions
 * are links to the blobs, and must not differ from one run to the next.
 */
const blobTimeSeconds = 946_684_800;

/** Present while the store is closed properly. */
const cleanMarker = "clean";

/**
 * The files of a store on disk: "blobs/{2 hex}/{hash}-{size}", mode 0444, and
 * beside it ".x", the same bytes with mode 0555, once they were asked for.
 * A small blob is made in its place, and gets its size and then its time last:
 * by these a start after a crash knows the whole ones. One folder for all that
 * is in the making would crowd one part of the disk, where ext4 then looks
 * long for every inode. What takes longer lies in "tmp/" until it is whole.
 * Synchronous: for small files that is several times faster.
 */
export class FileBlobDirectory {
  readonly #directory: string;
  readonly #owner: BlobOwner | undefined;
  #serial = 0;

  constructor(directory: string, owner?: BlobOwner) {
    this.#directory = directory;
    this.#owner = owner;
    // Blobs are whatever clients upload; actions reach theirs by other names.
    mkdirSync(join(directory, "blobs"), { recursive: true });
    chmodSync(join(directory, "blobs"), 0o700);
    for (let prefix = 0; prefix < 256; prefix++) {
      const name = prefix.toString(16).padStart(2, "0");
      mkdirSync(join(directory, "blobs", name), { recursive: true });
    }
    rmSync(join(directory, "tmp"), { recursive: true, force: true });
    mkdirSync(join(directory, "tmp"), { mode: 0o700 });
  }

  /**
   * The keys of all blobs, least recently used first as far as that was
   * written down. After a crash sizes and times are checked: some blob may not
   * have been finished, or its bytes not have been on the disk yet.
   */
  load(): { keys: string[]; twins: string[] } {
    const marker = join(this.#directory, cleanMarker);
    const clean = existsSync(marker);
    const recency = clean ? readFileSync(marker, "utf8").split("\n") : [];
    rmSync(marker, { force: true });
    const found = new Set<string>();
    const twins: string[] = [];
    for (const prefix of readdirSync(join(this.#directory, "blobs"))) {
      for (const name of readdirSync(join(this.#directory, "blobs", prefix))) {
        const key = name.replace(/\.x$/, "");
        if (!clean && !this.#isWhole(prefix, name, key)) continue;
        if (key === name) found.add(key);
        else twins.push(key);
      }
    }
    const known = recency.filter((key) => found.delete(key));
    return { keys: [...found, ...known], twins };
  }

  /** Writes down the order of use for the next start. */
  markClean(keys: Iterable<string>): void {
    const marker = join(this.#directory, cleanMarker);
    writeFileSync(`${marker}.new`, [...keys].join("\n"));
    renameSync(`${marker}.new`, marker);
  }

  path(key: string): string {
    return join(this.#directory, "blobs", key.slice(0, 2), key);
  }

  /** A path for a file in the making, used by nobody else. */
  temporaryPath(): string {
    return join(this.#directory, "tmp", `${this.#serial++}`);
  }

  /** Stores bytes, verified by the caller. */
  write(key: string, data: Uint8Array): void {
    const path = this.path(key);
    const fd = openSync(path, "wx", 0o444);
    try {
      for (let at = 0; at < data.byteLength; ) at += writeSync(fd, data, at);
      fchmodSync(fd, 0o444); // whatever the umask is
      if (this.#owner) fchownSync(fd, this.#owner.uid, this.#owner.gid);
      futimesSync(fd, blobTimeSeconds, blobTimeSeconds);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** Takes a file, verified by the caller and changed by nobody any more. */
  adopt(key: string, path: string): void {
    this.#settle(path, 0o444);
    renameSync(path, this.path(key));
  }

  /** The executable twin's path; makes it if needed. */
  makeTwin(key: string): { path: string; made: boolean } {
    const path = `${this.path(key)}.x`;
    if (existsSync(path)) return { path, made: false };
    try {
      this.copy(this.path(key), path);
      this.#settle(path, 0o555);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
    return { path, made: true };
  }

  remove(key: string): void {
    rmSync(this.path(key), { force: true });
    rmSync(`${this.path(key)}.x`, { force: true });
  }

  /** Hard link, or a copy where that cannot be (other disk, link count). */
  link(from: string, to: string): void {
    try {
      linkSync(from, to);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException; // node:fs throws these
      if (code !== "EMLINK" && code !== "EXDEV") throw error;
      this.copy(from, to);
      const { mode } = lstatSync(from);
      this.#settle(to, mode & 0o777);
    }
  }

  /** A copy, sharing blocks where the file system can. */
  copy(from: string, to: string): void {
    copyFileSync(
      from,
      to,
      constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL,
    );
  }

  #settle(path: string, mode: number): void {
    chmodSync(path, mode);
    if (this.#owner) chownSync(path, this.#owner.uid, this.#owner.gid);
    utimesSync(path, blobTimeSeconds, blobTimeSeconds);
  }

  #isWhole(prefix: string, name: string, key: string): boolean {
    const path = join(this.#directory, "blobs", prefix, name);
    const size = Number(key.slice(key.indexOf("-") + 1));
    const found = lstatSync(path);
    if (found.size === size && found.mtimeMs === blobTimeSeconds * 1000) {
      return true;
    }
    rmSync(path);
    return false;
  }
}
