import { randomUUID } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { type PullProgress, pullLayers } from "../image-pull/index.js";
import type { ImageTreeLimits } from "../image-tree/index.js";
import { Code, StatusError } from "../status/index.js";
import { Allowance } from "./allowance.js";
import type { RootImage } from "./root-image.js";
import type { IndexedRoot } from "./root-index.js";
import type { SpaceReserver } from "./space-allowance.js";
import type { RootJobResult } from "./store-job.js";
import { rootPath } from "./store-layout.js";
import type { StoreParts } from "./store-parts.js";

/** What a pull is told. */
export interface PullOptions {
  readonly signal: AbortSignal;
  readonly report: (progress: PullProgress) => void;
  readonly treeLimits: ImageTreeLimits;
}

/**
 * Layers whose records prove damaged are read again this often in one pull: a
 * second time only helps against a disk that is failing just now.
 */
const repairs = 2;

/** Makes one root: layers into the content store, the tree, then the name. */
export class RootPuller {
  readonly #parts: StoreParts;
  readonly #room: SpaceReserver;

  constructor(parts: StoreParts, room: SpaceReserver) {
    this.#parts = parts;
    this.#room = room;
  }

  /**
   * Makes the root of an image, durable and visible in one step, and adds it
   * to the index. When it fails, or the signal is aborted, layers that were
   * finished are kept, and nothing else.
   */
  async pull(
    hex: string,
    image: RootImage,
    options: PullOptions,
  ): Promise<IndexedRoot> {
    const { layers, trash } = this.#parts;
    const diffIds = image.layers.map(({ diffId }) => diffId);
    const letGo = layers.hold(diffIds);
    try {
      return await trash.guard(() => this.#make(hex, image, options));
    } finally {
      // The pull's own failure is told; this one costs only work done again.
      await layers.keep(diffIds).catch(() => {});
      letGo();
    }
  }

  async #make(
    hex: string,
    image: RootImage,
    options: PullOptions,
  ): Promise<IndexedRoot> {
    const { layout, index, now, sync } = this.#parts;
    const directory = join(layout.tmp, `${randomUUID()}.root`);
    try {
      const root = await this.#write(directory, image, options);
      await sync();
      await this.#publish(hex, directory, image);
      return index.add({
        hex,
        reference: image.reference,
        diffIds: image.layers.map(({ diffId }) => diffId),
        sizeBytes: root.sizeBytes,
        inodes: root.inodes,
        lastUsedMs: now(),
      });
    } catch (error) {
      await this.#remove(directory);
      throw error;
    }
  }

  /** Writes the root below `tmp/`, after the layers that the store lacks. */
  async #write(directory: string, image: RootImage, options: PullOptions) {
    for (let attempt = 0; ; attempt++) {
      await pullLayers(image.layers, {
        ...options,
        prepare: (layer, waiter) =>
          this.#parts.layers.prepare(layer, waiter, this.#room),
      });
      // The files' bytes go to disk while the root is linked; what remains for
      // the sync that counts is little. That one also tells of any failure.
      void this.#parts.sync().catch(() => {});
      const result = await this.#runRootJob(directory, image, options);
      if (result.outcome === "written") return result;
      if (attempt === repairs) {
        throw new StatusError(
          Code.DataLoss,
          "Files of the image vanish from the store as soon as they are written",
        );
      }
      await this.#remove(directory);
      for (const diffId of result.diffIds) {
        await this.#parts.layers.drop(diffId);
      }
    }
  }

  async #runRootJob(
    directory: string,
    image: RootImage,
    { signal, treeLimits }: PullOptions,
  ): Promise<RootJobResult> {
    const { pool, layers, layout } = this.#parts;
    const worker = await pool.take(signal, true);
    const allowance = new Allowance(this.#room);
    let entries = 0;
    let stored = { bytes: 0, inodes: 0 };
    try {
      const result = await worker.run(
        {
          kind: "root",
          directory,
          tmp: join(layout.tmp, randomUUID()),
          layers: image.layers.map(({ diffId }) => ({
            diffId,
            record: layers.path(diffId) ?? "",
          })),
          limits: treeLimits,
          allowance: allowance.end,
          description: { reference: image.reference, config: image.config },
        },
        [allowance.end.port],
      );
      if (result.outcome === "written") ({ entries, stored } = result);
      return result;
    } finally {
      allowance.settle(stored);
      worker.release(entries);
    }
  }

  async #publish(
    hex: string,
    directory: string,
    image: RootImage,
  ): Promise<void> {
    const { layout, layers } = this.#parts;
    await rename(directory, rootPath(layout, hex));
    await layers.publish(image.layers.map(({ diffId }) => diffId));
    await Promise.all([layout.roots, layout.layers].map(syncDirectory));
  }

  async #remove(directory: string): Promise<void> {
    await this.#parts.janitor.run({ kind: "remove", paths: [directory] });
  }
}

/** Makes the names in a directory durable (fsync(2) of the directory). */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
