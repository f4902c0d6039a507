import { statfs } from "node:fs/promises";
import { Code, StatusError } from "../status/index.js";
import type { EvictionReason, RootEvictor } from "./root-evictor.js";
import type { SpaceReserver, StoredContent } from "./space-allowance.js";
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

/**
 * Most that is reserved at a time, beyond what is asked for: each reservation
 * is a question to another thread.
 */
const largestGrant: StoredContent = { bytes: 2 ** 23, inodes: 1024 };

/** No reservation takes more of a cap than this part of it. */
const grantShare = 1 / 200;

/** Keeps a store within its budget by evicting what is unused. */
export class StoreRoom implements SpaceReserver {
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
    if (reason !== undefined) throw overBudget(reason);
  }

  /**
   * Reserves room for content that is about to be written, and for some more,
   * so that not every file has to ask; evicts what is unused to make it. Throws
   * ResourceExhausted when the store would outgrow its budget, or the disk go
   * below its floor. What evictions free on the disk is free only after the
   * pulls under way: the failure's cause is then ENOSPC, as of a full disk.
   */
  async reserve(needed: StoredContent): Promise<StoredContent> {
    for (;;) {
      const freeBytes = await this.#freeBytes();
      // Nothing is waited for between the look and the reservation.
      const reason = this.#exceeded(needed, freeBytes);
      if (reason === undefined) return this.#grant(needed, freeBytes);
      if (reason === "freeSpace") throw shortOfSpace();
      if (!this.#isCounted) await this.#counted.catch(() => {});
      const eviction = await this.#evictor.evictOldest(reason);
      if (eviction === undefined) throw overBudget(reason);
      await eviction.collected;
    }
  }

  settle(reserved: StoredContent, stored: StoredContent): void {
    this.#parts.usage.remove(reserved);
    this.#parts.usage.add(stored);
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
    const freeBytes = await this.#freeBytes();
    const reason = this.#exceeded({ bytes: incoming, inodes: 0 }, freeBytes);
    // A pull does not wait for the count; `trim` makes up for that.
    return this.#isCounted || reason === "freeSpace" ? reason : undefined;
  }

  /** The limit that so much more would be beyond; the disk's comes first. */
  #exceeded(
    { bytes, inodes }: StoredContent,
    freeBytes: number,
  ): EvictionReason | undefined {
    const { maximumBytes, maximumInodes, minimumFreeBytes } = this.#budget;
    if (freeBytes - bytes < minimumFreeBytes) return "freeSpace";
    if (this.#parts.usage.bytes + bytes > maximumBytes) return "bytes";
    return this.inodes() + inodes > maximumInodes ? "inodes" : undefined;
  }

  /** Reserves what is needed, and more as far as there is room. */
  #grant(needed: StoredContent, freeBytes: number): StoredContent {
    const { usage } = this.#parts;
    const { maximumBytes, maximumInodes, minimumFreeBytes } = this.#budget;
    const leftBytes = Math.min(
      maximumBytes - usage.bytes,
      freeBytes - minimumFreeBytes,
    );
    const more = (most: number, cap: number, left: number) =>
      Math.min(most, Math.floor(cap * grantShare), left);
    const granted = {
      bytes: Math.max(
        needed.bytes,
        more(largestGrant.bytes, maximumBytes, leftBytes),
      ),
      inodes: Math.max(
        needed.inodes,
        more(largestGrant.inodes, maximumInodes, maximumInodes - this.inodes()),
      ),
    };
    usage.add(granted);
    return granted;
  }

  async #freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#parts.layout.directory);
    return bavail * bsize;
  }
}

const limitTexts: Readonly<Record<EvictionReason, string>> = {
  bytes: "their content is over the configured bytes",
  inodes: "they are over the configured number of inodes",
  freeSpace: "the disk has less free space than it must keep",
  diskFull: "the disk is full",
};

function overBudget(reason: EvictionReason): StatusError {
  return new StatusError(
    Code.ResourceExhausted,
    `Image store has no room: all roots are in use, and ${limitTexts[reason]}`,
  );
}

function shortOfSpace(): StatusError {
  return new StatusError(
    Code.ResourceExhausted,
    "Image store has no room for the rest of the image: the disk has less free space than it must keep",
    { cause: { code: "ENOSPC" } },
  );
}

async function patiently(freed: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  await Promise.race([freed, enough]);
  clearTimeout(timer);
}
