import {
  chmodSync,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  type Stats,
} from "node:fs";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";

/** O_PATH of open(2), which Node does not name; the same on all machines. */
const asPlace = 0o10000000;

/**
 * A directory that an action wrote, held by a descriptor. An action may have
 * handed its own descriptors to another one that lives on: whatever that
 * renames or puts in the way, entries are those of this directory, and no
 * symlink leads out of it.
 */
export class HeldDirectory implements Disposable {
  readonly #descriptor: number;
  #isClosed = false;

  private constructor(path: string | Buffer) {
    const flags = asPlace | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    this.#descriptor = openSync(path, flags);
  }

  /**
   * Opens one by a path of which no action can change a component: the
   * engine's own, or an entry of another one that is held. Throws as open(2),
   * for a symlink too.
   */
  static open(path: string | Buffer): HeldDirectory {
    return new HeldDirectory(path);
  }

  /** A path that leads here while it is held. */
  get path(): string {
    return `/proc/self/fd/${this.#descriptor}`;
  }

  /** Opens one in this one; throws InvalidArgument if it is none any more. */
  open(name: string): HeldDirectory {
    return unchanged(name, () => new HeldDirectory(this.pathOf(name)));
  }

  /** A path to an entry, for calls that follow no symlink at its end. */
  pathOf(name: string): string {
    return `${this.path}/${name}`;
  }

  /** What a name is; undefined when it is nothing. */
  stat(name: string): Stats | undefined {
    return lstatSync(this.pathOf(name), { throwIfNoEntry: false });
  }

  /** Where a symlink leads; throws InvalidArgument if it is none any more. */
  readlink(name: string): string {
    return unchanged(name, () => readlinkSync(this.pathOf(name)));
  }

  /** Entries, also where the action took the right to see them away. */
  list(): Dirent[] {
    this.allow();
    return readdirSync(this.path, { withFileTypes: true });
  }

  /** Lets us list and change it, where that takes a right. */
  allow(): void {
    if (process.getuid?.() !== 0) chmodSync(this.path, 0o700);
  }

  /**
   * Opens a regular file for reading, also where the action took the right
   * to it away; throws InvalidArgument for what is none any more.
   */
  openFile(name: string): number {
    // First as a place alone: to open a FIFO or a device may do something.
    const flags = asPlace | constants.O_NOFOLLOW;
    const place = unchanged(name, () => openSync(this.pathOf(name), flags));
    try {
      if (!fstatSync(place).isFile()) throw changed(name);
      return openAgain(place);
    } finally {
      closeSync(place);
    }
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#descriptor);
  }
}

function openAgain(place: number): number {
  const path = `/proc/self/fd/${place}`;
  try {
    return openSync(path, "r");
  } catch (error) {
    if (toStatusError(error).code !== Code.PermissionDenied) throw error;
    chmodSync(path, 0o600); // ours, but the action took our rights away
    return openSync(path, "r");
  }
}

/** What was listed before is there, and of that kind, unless it was changed. */
function unchanged<T>(name: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException; // node:fs throws these
    const isChange = ["ENOENT", "ENOTDIR", "ELOOP", "EINVAL"].includes(code);
    throw isChange ? changed(name) : error;
  }
}

function changed(name: string): StatusError {
  return new StatusError(
    Code.InvalidArgument,
    `Output "${name}" was changed after the action had ended`,
  );
}
