import { statfs } from "node:fs/promises";
import { Code, StatusError } from "../status/index.js";
import type { EvictionReason, RootEvictor } from "./root-evictor.js";
import type { StoreParts } from "./store-parts.js";

/** What a store may take of its disk. */
export interface StoreBudget {
  /** Content of all files, each inode counted once. */
  readonly maximumBytes: number;
  /** Files, and the roots' directories and symbolic links. */
  readonly maximumInodes: number;
  /** What must stay free on the file system, for others. */
  readonly minimumFreeBytes: number;
}

/**
 * How long a pull waits for the space of what it evicted: removal of a large
 * root takes a second or two, and pulls that are under way may delay it.
 */
const patienceMs = 10_000;

/** Keeps a store within its budget by evicting what is unused. */
export class StoreRoom {
  readonly #parts: StoreParts;
  readonly #evictor: RootEvictor;
  readonly #budget: StoreBudget;
  readonly #counted: Promise<void>;
  #isCounted = false;

  /** `counted` settles when the usage is known. */
  constructor(
    parts: StoreParts,
    evictor: RootEvictor,
    options: { budget: StoreBudget; counted: Promise<void> },
  ) {
    this.#parts = parts;
    this.#evictor = evictor;
    this.#budget = options.budget;
    this.#counted = options.counted;
    // A failure is told by who counts; we go on by the disk's free space.
    this.#counted.then(
      () => {
        this.#isCounted = true;
      },
      () => {},
    );
  }

  /** Inodes of the store: content, and what is of each root alone. */
  inodes(): number {
    const { usage, index } = this.#parts;
    return index.all().reduce((sum, root) => sum + root.inodes, usage.inodes);
  }

  /**
   * Makes room for a pull that brings about so many bytes, as far as what is
   * unused allows. Throws ResourceExhausted when the store is over its budget
   * already, or the disk below its floor, and everything in it is in use.
   */
  async make(incomingBytes: number): Promise<void> {
    for (;;) {
      const reason = await this.#shortage(incomingBytes);
      if (reason === undefined) return;
      const eviction = await this.#evictor.evictOldest(reason);
      if (eviction === undefined) break;
      await patiently(eviction.freed);
    }
    const reason = await this.#shortage(0);
    if (reason === undefined) return;
    throw new StatusError(
      Code.ResourceExhausted,
      `Image store has no room: all roots are in use, and ${limitTexts[reason]}`,
    );
  }

  /** Goes back within the budget after a pull, without waiting for space. */
  async trim(): Promise<void> {
    await this.#counted;
    for (;;) {
      const reason = await this.#shortage(0);
      if (reason === undefined) return;
      const eviction = await this.#evictor.evictOldest(reason);
      if (eviction === undefined) return;
      if (reason === "freeSpace") await patiently(eviction.freed);
    }
  }

  /** Evicts one root because the disk is full; false if all are in use. */
  async evictForFullDisk(): Promise<boolean> {
    const eviction = await this.#evictor.evictOldest("diskFull");
    if (eviction === undefined) return false;
    await patiently(eviction.freed);
    return true;
  }

  async #shortage(incoming: number): Promise<EvictionReason | undefined> {
    const { usage, layout } = this.#parts;
    const budget = this.#budget;
    // A pull does not wait for the count; `trim` makes up for that.
    if (this.#isCounted) {
      if (usage.bytes + incoming > budget.maximumBytes) return "bytes";
      if (this.inodes() > budget.maximumInodes) return "inodes";
    }
    const { bavail, bsize } = await statfs(layout.directory);
    const free = bavail * bsize - incoming;
    return free < budget.minimumFreeBytes ? "freeSpace" : undefined;
  }
}

const limitTexts: Readonly<Record<EvictionReason, string>> = {
  bytes: "their content is over the configured bytes",
  inodes: "they are over the configured number of inodes",
  freeSpace: "the disk has less free space than it must keep",
  diskFull: "the disk is full",
};

async function patiently(freed: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  await Promise.race([freed, enough]);
  clearTimeout(timer);
}
