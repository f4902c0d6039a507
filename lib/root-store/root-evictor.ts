import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { IndexedRoot } from "./root-index.js";
import { rootPath } from "./store-layout.js";
import type { StoreParts } from "./store-parts.js";

/** Why a root was evicted; a label of metrics. */
export type EvictionReason = "bytes" | "inodes" | "freeSpace" | "diskFull";

/** What was evicted, out of sight at once. */
export interface Eviction {
  /** Settles when its content counts no more; never rejects. */
  readonly collected: Promise<void>;
  /** Settles when its space is free; never rejects. */
  readonly freed: Promise<void>;
}

/** What an evictor reports. */
export interface EvictorEvents {
  readonly onEvicted: (root: IndexedRoot, reason: EvictionReason) => void;
  /** A failure in the background, which nobody waits for. */
  readonly onError: (error: unknown) => void;
}

/**
 * Takes roots out of the store, and layers that no root is made of any more.
 * A root that anyone has a lock on, or a lease of this process, stays.
 */
export class RootEvictor {
  readonly #parts: StoreParts;
  readonly #events: EvictorEvents;
  readonly #background = new Set<Promise<void>>();

  constructor(parts: StoreParts, events: EvictorEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /**
   * Evicts what was longest unused: a root that nobody uses, or a layer that
   * no root is made of. Undefined when everything is in use.
   */
  async evictOldest(reason: EvictionReason): Promise<Eviction | undefined> {
    const { index, layers } = this.#parts;
    const candidates = [
      ...index.idle().map((root) => ({
        lastUsedMs: root.lastUsedMs,
        evict: () => this.evict(root, reason),
      })),
      ...layers
        .idle()
        .filter(({ diffId }) => !index.uses(diffId))
        .map(({ diffId, lastUsedMs }) => ({
          lastUsedMs,
          evict: async () => this.#inBackground(this.#collect([diffId])),
        })),
    ].sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    for (const { evict } of candidates) {
      const eviction = await evict();
      if (eviction !== undefined) return eviction;
    }
    return undefined;
  }

  /** Evicts a root; undefined if it is in use. */
  async evict(
    root: IndexedRoot,
    reason: EvictionReason,
  ): Promise<Eviction | undefined> {
    // Whoever comes meanwhile waits for the outcome.
    let settle = (_evicted: boolean) => {};
    root.evicting = new Promise((resolve) => {
      settle = resolve;
    });
    let hidden: string | undefined;
    try {
      hidden = await this.#hide(root);
    } finally {
      root.evicting = undefined;
      settle(hidden !== undefined);
    }
    if (hidden === undefined) return undefined;
    this.#events.onEvicted(root, reason);
    return this.#inBackground(this.#remove(hidden, root.diffIds));
  }

  /** Waits until all that was evicted is removed. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /** Moves an unused root into `tmp/`; undefined if it is in use. */
  async #hide(root: IndexedRoot): Promise<string | undefined> {
    const { layout, kernel, index, now } = this.#parts;
    if (root.leases > 0) return undefined;
    const path = rootPath(layout, root.hex);
    const lock = await open(join(path, "lock"));
    try {
      if (!(await kernel.tryLockExclusive(lock.fd))) {
        root.lastUsedMs = now(); // in use, so it is not the oldest
        return undefined;
      }
      // The order matters to who waits for the lock: it looks for image.json
      // in the directory that it had opened before.
      index.remove(root.hex);
      await rm(join(path, "image.json"));
      const hidden = join(layout.tmp, `${randomUUID()}.root`);
      await rename(path, hidden);
      return hidden;
    } finally {
      await lock.close();
    }
  }

  async #remove(
    path: string,
    diffIds: readonly string[],
  ): Promise<readonly string[]> {
    await this.#parts.janitor.run({ kind: "remove", paths: [path] });
    const { index } = this.#parts;
    return this.#collect(diffIds.filter((diffId) => !index.uses(diffId)));
  }

  /**
   * Moves layers that nobody holds, and their files that nobody links to, into
   * the trash. Gives the paths that have to be removed.
   */
  async #collect(diffIds: readonly string[]): Promise<readonly string[]> {
    const { layers, trash, usage, layout } = this.#parts;
    const folders: string[] = [];
    for (const diffId of diffIds) {
      const record = join(layout.tmp, `${randomUUID()}.layer`);
      if (!(await layers.release(diffId, record))) continue;
      const folder = trash.newFolder();
      folders.push(folder, record);
      const job = { kind: "collect", diffId, record, trash: folder } as const;
      usage.remove((await this.#parts.janitor.run(job)).collected);
    }
    return folders;
  }

  #inBackground(collecting: Promise<readonly string[]>): Eviction {
    const emptying = collecting.then(async (folders) => {
      if (folders.length > 0) await this.#parts.trash.empty(folders);
    });
    const freed = emptying.catch(this.#events.onError);
    this.#background.add(freed);
    void freed.then(() => this.#background.delete(freed));
    const done = () => {}; // its failure is reported above
    return { collected: collecting.then(done, done), freed };
  }
}
