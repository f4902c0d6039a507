import { utimes } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { PullProgress } from "../image-pull/index.js";
import type { ImageTreeLimits } from "../image-tree/index.js";
import type { KernelCalls } from "../kernel-calls/index.js";
import type { LayerLimits } from "../layer/index.js";
import { ReportingFlights } from "../single-flight/index.js";
import { isDiskFull } from "../status/index.js";
import { type OpenedStore, openStore } from "./open-store.js";
import { PullSlots } from "./pull-slots.js";
import { type EvictionReason, RootEvictor } from "./root-evictor.js";
import type { RootImage } from "./root-image.js";
import type { IndexedRoot } from "./root-index.js";
import { RootPuller } from "./root-puller.js";
import { rootPath, type StoreOwner } from "./store-layout.js";
import type { StoreParts } from "./store-parts.js";
import { type StoreBudget, StoreRoom } from "./store-room.js";

/** What a store is opened with. */
export interface RootStoreOptions {
  /** Absolute path; made if there is none. */
  readonly directory: string;
  readonly kernel: KernelCalls;
  /** Must be the process's own ids unless it may give files away (root). */
  readonly owner: StoreOwner;
  readonly budget: StoreBudget;
  readonly layerLimits: LayerLimits;
  readonly treeLimits: ImageTreeLimits;
  /** Threads that read layers and write roots; as many as there are cores. */
  readonly workers?: number;
  /** Images that are pulled at the same time; default 16, others wait. */
  readonly maximumPulls?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly onEvicted?: (
    root: Readonly<IndexedRoot>,
    reason: EvictionReason,
  ) => void;
  /** Told how long a root took to make. */
  readonly onPulled?: (durationMs: number) => void;
  /** Told of failures in the background, which nobody waits for. */
  readonly onError: (error: unknown) => void;
}

/** What the acquirer of a root tells. */
export interface AcquireOptions {
  /** Ends the wait, for this caller only. */
  readonly signal: AbortSignal;
  /** Finds the image when the store lacks it. */
  readonly image: (signal: AbortSignal) => Promise<RootImage>;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** A user's hold on a root: it is not evicted before the release. */
export interface RootLease {
  /** Absolute path of the image root. */
  readonly path: string;
  /** Whether the root was there already. */
  readonly hit: boolean;
  /** Ends the lease; further calls do nothing. */
  release(): void;
}

/** What a store holds at a moment. */
export interface StoreStatistics {
  readonly roots: number;
  readonly leases: number;
  readonly bytes: number;
  readonly inodes: number;
  readonly pulls: number;
}

/** More images at once would share the same threads and network. */
const defaultMaximumPulls = 16;

/** How stale a root's time of last use may be on disk, where it survives. */
const recencyGrainMs = 60_000;

/**
 * The image roots of one machine, on disk as the design's "Root store" says.
 * One process at a time has a store open. Roots are made once, whoever asks,
 * become visible complete and durable or not at all, and are evicted, longest
 * unused first, when the store outgrows its budget: never while leased.
 */
export class RootStore {
  readonly #parts: StoreParts;
  readonly #options: RootStoreOptions;
  readonly #closing: AbortController;
  readonly #puller: RootPuller;
  readonly #evictor: RootEvictor;
  readonly #room: StoreRoom;
  readonly #opened: OpenedStore;
  readonly #pulls = new ReportingFlights<IndexedRoot, PullProgress>();
  readonly #slots: PullSlots;
  readonly #recencyMs = new Map<string, number>();

  private constructor(
    options: RootStoreOptions,
    opened: OpenedStore,
    closing: AbortController,
  ) {
    this.#options = options;
    this.#closing = closing;
    this.#parts = opened.parts;
    this.#opened = opened;
    this.#slots = new PullSlots(options.maximumPulls ?? defaultMaximumPulls);
    this.#evictor = new RootEvictor(opened.parts, {
      onEvicted: options.onEvicted ?? (() => {}),
      onError: options.onError,
    });
    this.#room = new StoreRoom(opened.parts, this.#evictor, {
      budget: options.budget,
      counted: opened.counted,
    });
    this.#puller = new RootPuller(opened.parts, this.#room);
  }

  /**
   * Opens the store: adopts its roots without reading their files, and removes
   * in the background what a process that was killed left behind. Throws
   * FailedPrecondition when another process has the store open.
   */
  static async open(options: RootStoreOptions): Promise<RootStore> {
    const workers = options.workers ?? availableParallelism();
    const closing = new AbortController();
    const onError = (error: unknown) => {
      // Work that the closing itself cuts off is done by the next process.
      if (!closing.signal.aborted) options.onError(error);
    };
    const opened = await openStore({ ...options, workers, onError });
    return new RootStore({ ...options, onError }, opened, closing);
  }

  /** Where the root of a manifest's digest is, or will be. */
  path(hex: string): string {
    return join(rootPath(this.#parts.layout, hex), "rootfs");
  }

  /**
   * Leases the root of a manifest (64 hexadecimal digits of its digest), made
   * from the image if there is none yet. Throws what the image's sources and
   * its layers' reading throw, ResourceExhausted when there is no room, and
   * the signal's reason.
   */
  async acquire(hex: string, options: AcquireOptions): Promise<RootLease> {
    const { signal, onProgress } = options;
    let hit = true;
    for (;;) {
      signal.throwIfAborted();
      const root = this.#parts.index.get(hex);
      if (root === undefined) {
        hit = false;
        await this.#pulls.run(hex, { signal, onProgress }, (ended, report) =>
          this.#slots.run(ended, () =>
            this.#pull(hex, options.image, { signal: ended, report }),
          ),
        );
      } else if (root.evicting !== undefined) {
        await root.evicting;
      } else {
        return this.#lease(root, hit);
      }
    }
  }

  /** Notes that a root is in use, by someone who took no lease here. */
  touch(hex: string): void {
    const root = this.#parts.index.get(hex);
    if (root !== undefined) this.#use(root);
  }

  /** The complete roots. */
  roots(): readonly Readonly<IndexedRoot>[] {
    return this.#parts.index.all();
  }

  statistics(): StoreStatistics {
    const roots = this.#parts.index.all();
    return {
      roots: roots.length,
      leases: roots.reduce((sum, { leases }) => sum + leases, 0),
      bytes: this.#parts.usage.bytes,
      inodes: this.#room.inodes(),
      pulls: this.#pulls.size,
    };
  }

  /** Waits until what was evicted, or left behind, is removed. */
  async settled(): Promise<void> {
    await this.#opened.settled;
    await this.#evictor.settled();
  }

  /**
   * Ends pulls under way, then lets another process have the store. What is
   * being removed meanwhile stays in `tmp/` for that process.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pulls.stop();
    await this.#parts.layers.stop();
    await Promise.all([this.#parts.pool.stop(), this.#parts.janitor.stop()]);
    await this.#opened.lock.close();
  }

  async #pull(
    hex: string,
    find: (signal: AbortSignal) => Promise<RootImage>,
    { signal, report }: Omit<Parameters<RootPuller["pull"]>[2], "treeLimits">,
  ): Promise<IndexedRoot> {
    const begunMs = performance.now();
    const image = await find(signal);
    await this.#opened.trusted;
    const incoming = image.layers
      .filter(({ diffId }) => this.#parts.layers.path(diffId) === undefined)
      // Most of a tree's files may be there, so all of them count for nothing.
      .map((layer) => ("openBlobs" in layer ? 0 : layer.descriptor.sizeBytes))
      .reduce((sum, bytes) => sum + bytes, 0);
    await this.#room.make(incoming);
    const { treeLimits } = this.#options;
    const options = { signal, report, treeLimits };
    const pull = () => this.#puller.pull(hex, image, options);
    const root = await pull().catch(async (error: unknown) => {
      if (!isDiskFull(error)) throw error;
      // Once: what a second eviction would free is seldom what is missing.
      if (!(await this.#room.evictForFullDisk())) throw error;
      return pull();
    });
    this.#options.onPulled?.(performance.now() - begunMs);
    // Held for as long as it takes the waiting callers to lease it.
    const hold = this.#lease(root, false);
    setImmediate(() => {
      hold.release();
      this.#room.trim().catch(this.#options.onError);
    });
    return root;
  }

  #lease(root: IndexedRoot, hit: boolean): RootLease {
    root.leases++;
    this.#use(root);
    let released = false;
    return {
      path: this.path(root.hex),
      hit,
      release: () => {
        if (released) return;
        released = true;
        root.leases--;
        root.lastUsedMs = this.#parts.now();
      },
    };
  }

  #use(root: IndexedRoot): void {
    const now = this.#parts.now();
    root.lastUsedMs = now;
    if (now - (this.#recencyMs.get(root.hex) ?? 0) < recencyGrainMs) return;
    this.#recencyMs.set(root.hex, now);
    const lock = join(rootPath(this.#parts.layout, root.hex), "lock");
    // Only an order of eviction after a restart is lost with it.
    utimes(lock, now / 1000, now / 1000).catch(() => {});
  }
}
