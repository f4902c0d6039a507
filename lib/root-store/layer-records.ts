import { randomUUID } from "node:crypto";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { LayerLimits } from "../layer/index.js";
import { ReportingFlights, type Waiter } from "../single-flight/index.js";
import { codeFromNumber, StatusError } from "../status/index.js";
import { Allowance } from "./allowance.js";
import { collectGarbage } from "./collect-garbage.js";
import type { ContentTrash } from "./content-trash.js";
import { openLayerChannel } from "./layer-channel.js";
import type { RootLayer } from "./root-image.js";
import type { SpaceReserver } from "./space-allowance.js";
import type { LayerJobResult } from "./store-job.js";
import { layerRecordPath, type StoreLayout } from "./store-layout.js";
import type { StoreWorkerPool } from "./store-worker-pool.js";

/** What a layer that is being read reports. */
export interface LayerProgress {
  /** Of the blob. */
  readonly bytesDone: number;
}

/** What the reading of a layer is told. */
interface LayerReading {
  readonly signal: AbortSignal;
  readonly report: (progress: LayerProgress) => void;
  readonly room: SpaceReserver;
}

/** A layer whose files are in the content store. */
interface LayerRecord {
  path: string;
  /** Whether it is in `layers/`, and so outlives this process. */
  durable: boolean;
  /** False while the store lacks some of its files. */
  readonly complete: boolean;
  entries: number;
  lastUsedMs: number;
}

/** What the records are kept with. */
export interface LayerRecordsOptions {
  readonly layout: StoreLayout;
  readonly pool: StoreWorkerPool;
  readonly limits: LayerLimits;
  readonly now: () => number;
  /** Makes durable what the store holds. */
  readonly sync: () => Promise<void>;
  readonly trash: ContentTrash;
  /** Told of failures in the background. */
  readonly onError: (error: unknown) => void;
}

/**
 * The layers that the store has: each is read once, by whoever wants it first,
 * in a worker of the pool. A record lies in `tmp/` until `publish` is called,
 * which is for after the files were made durable.
 */
export class LayerRecords {
  readonly #options: LayerRecordsOptions;
  readonly #records = new Map<string, LayerRecord>();
  readonly #holders = new Map<string, number>();
  readonly #tasks = new ReportingFlights<LayerRecord, LayerProgress>();

  private constructor(options: LayerRecordsOptions) {
    this.#options = options;
  }

  /** Adopts the records that `layers/` holds. */
  static async open(options: LayerRecordsOptions): Promise<LayerRecords> {
    const records = new LayerRecords(options);
    const { layers } = options.layout;
    for (const name of await readdir(layers)) {
      const path = join(layers, name);
      const { mtimeMs } = await stat(path);
      // One that is not complete is found out when a root is made of it.
      records.#records.set(`sha256:${name}`, {
        ...{ path, durable: true, complete: true },
        ...{ entries: 0, lastUsedMs: mtimeMs },
      });
    }
    return records;
  }

  /**
   * Keeps the layers from being collected, whether they are there or not yet,
   * until the function that is returned is called.
   */
  hold(diffIds: readonly string[]): () => void {
    const count = (diffId: string, by: number) => {
      const holders = (this.#holders.get(diffId) ?? 0) + by;
      if (holders === 0) this.#holders.delete(diffId);
      else this.#holders.set(diffId, holders);
      const record = this.#records.get(diffId);
      if (record !== undefined) record.lastUsedMs = this.#options.now();
    };
    for (const diffId of diffIds) count(diffId, 1);
    return () => {
      for (const diffId of diffIds) count(diffId, -1);
    };
  }

  /** Where the layer's record is, if there is one. */
  path(diffId: string): string | undefined {
    return this.#records.get(diffId)?.path;
  }

  /**
   * Makes sure that the store has the layer. Gives its number of entries, 0
   * if it was there before this process. Throws what its source or readLayer
   * throws, naming the layer, and ResourceExhausted when there is no room.
   */
  async prepare(
    layer: RootLayer,
    waiter: Waiter<LayerProgress>,
    room: SpaceReserver,
  ): Promise<number> {
    const known = this.#records.get(layer.diffId);
    if (known?.complete === true) return known.entries;
    const record = await this.#tasks.run(
      layer.diffId,
      waiter,
      (signal, report) => this.#read(layer, { signal, report, room }),
    );
    return record.entries;
  }

  /** Diff IDs that have a record which would not outlive this process. */
  #unpublished(diffIds: readonly string[]): readonly string[] {
    return diffIds.filter(
      (diffId) => this.#records.get(diffId)?.durable === false,
    );
  }

  /** Moves records into `layers/`; their files must be durable by now. */
  async publish(diffIds: readonly string[]): Promise<void> {
    for (const diffId of this.#unpublished(diffIds)) {
      const record = this.#records.get(diffId);
      if (record === undefined) continue;
      const path = layerRecordPath(this.#options.layout, diffId);
      record.durable = true; // before the wait, so that it happens once
      await rename(record.path, path);
      record.path = path;
    }
  }

  /**
   * Makes the finished ones of the layers outlive this process, which the pull
   * that wanted them does no more.
   */
  async keep(diffIds: readonly string[]): Promise<void> {
    if (this.#unpublished(diffIds).length === 0) return;
    await this.#options.sync();
    await this.publish(diffIds);
  }

  /** Forgets a layer whose record turned out to be useless. */
  async drop(diffId: string): Promise<void> {
    const record = this.#records.get(diffId);
    this.#records.delete(diffId);
    if (record !== undefined) await rm(record.path, { force: true });
  }

  /**
   * Takes a layer that nobody holds out of the records and moves its record to
   * the path: the caller collects its files. False if someone holds it.
   */
  async release(diffId: string, path: string): Promise<boolean> {
    const record = this.#records.get(diffId);
    if (record === undefined || this.#holders.has(diffId)) return false;
    this.#records.delete(diffId);
    await rename(record.path, path);
    return true;
  }

  /** Layers that nobody holds, with the time of their last use. */
  idle(): readonly { diffId: string; lastUsedMs: number }[] {
    const idle = [];
    for (const [diffId, { lastUsedMs }] of this.#records) {
      if (!this.#holders.has(diffId)) idle.push({ diffId, lastUsedMs });
    }
    return idle;
  }

  /** Ends the readings under way. */
  async stop(): Promise<void> {
    await this.#tasks.stop();
  }

  async #read(layer: RootLayer, reading: LayerReading): Promise<LayerRecord> {
    const { layout, pool, trash } = this.#options;
    const worker = await pool.take(reading.signal);
    const tmp = join(layout.tmp, randomUUID());
    const path = `${tmp}.layer`;
    const abandoned = trash.newFolder();
    const allowance = new Allowance(reading.room);
    let left = { bytes: 0, inodes: 0 };
    let entriesRead = 0;
    const channel = openLayerChannel(layer, reading);
    try {
      const common = {
        ...{ diffId: layer.diffId, tmp, record: path, trash: abandoned },
        ...{ chunks: channel.port, allowance: allowance.end },
      };
      const ports = [channel.port, allowance.end.port];
      let result: LayerJobResult;
      if ("openBlobs" in layer) {
        const tree = await layer.takeTree(reading.signal);
        const { wanted } = channel;
        const job = { kind: "tree", tree, wanted, ...common } as const;
        const running = worker.run(job, [...ports, wanted, ...tree.buffers]);
        collectGarbage(tree.totals.entries); // of its reading
        result = await running;
      } else {
        const { descriptor } = layer;
        const { limits } = this.#options;
        result = await worker.run(
          { kind: "layer", descriptor, limits, ...common },
          ports,
        );
      }
      entriesRead = result.entries;
      left = result.stored;
      return await this.#adopt(layer.diffId, path, result);
    } catch (error) {
      // Not to be waited for: the pull that we are part of has to end first.
      trash.empty([abandoned]).catch(this.#options.onError);
      throw error;
    } finally {
      allowance.settle(left);
      await channel.close();
      worker.release(entriesRead);
      collectGarbage(entriesRead); // of its bytes, before a root is made of it
    }
  }

  /** Notes what a job has brought; throws its failure if it had one. */
  async #adopt(
    diffId: string,
    path: string,
    { entries, failure }: LayerJobResult,
  ): Promise<LayerRecord> {
    const complete = failure === undefined;
    const lastUsedMs = this.#options.now();
    const record = { path, durable: false, complete, entries, lastUsedMs };
    const before = this.#records.get(diffId);
    this.#records.set(diffId, record);
    if (before !== undefined) await rm(before.path, { force: true });
    if (!this.#holders.has(diffId)) await this.keep([diffId]);
    if (failure === undefined) return record;
    throw new StatusError(codeFromNumber(failure.code), failure.message, {
      cause: { code: failure.errno },
    });
  }
}
