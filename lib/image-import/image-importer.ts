import { Digest, type InstanceName } from "../digest/index.js";
import {
  type ImageLayer,
  type LayerWaiter,
  type PullProgress,
  pullLayers,
} from "../image-pull/index.js";
import {
  defaultImageTreeLimits,
  type ImageTotals,
} from "../image-tree/index.js";
import { defaultLayerLimits } from "../layer/index.js";
import { ReportingFlights } from "../single-flight/index.js";
import { wrap } from "../status/index.js";
import { openChunkChannel, WorkerPool } from "../worker-pool/index.js";
import { DigestList } from "./digest-list.js";
import type {
  DroppedFromImage,
  ImportJob,
  ImportJobResults,
  ImportSettings,
  StoredBlobs,
  TreeJobResult,
} from "./import-worker-job.js";
import type { LayerRecordCache } from "./layer-record-cache.js";

/** What an importer has to know of an image. */
export interface ImportableImage {
  /** The canonical reference with its digest. */
  readonly reference: string;
  /** Lowest first. */
  readonly layers: readonly ImageLayer[];
}

/** An image whose tree is in CAS. */
export interface ImportedImage {
  /** Of the root Directory; the same for the same files, whatever the layers. */
  readonly rootDigest: Digest;
  readonly totals: ImageTotals;
  readonly dropped: DroppedFromImage;
  /** Every different blob of the tree. */
  readonly digests: DigestList;
  /** What CAS did not have before. */
  readonly stored: StoredBlobs;
}

/** What an importer is made of. */
export interface ImageImporterOptions extends ImportSettings {
  /** Threads that read layers, and with that layers at a time. */
  readonly workers: number;
  readonly records: LayerRecordCache;
}

/** What an import is told. */
export interface ImportOptions {
  readonly instanceName: InstanceName;
  /** Ends this caller's waiting; the import ends when nobody waits any more. */
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** A layer that is in CAS. */
interface ReadLayer {
  readonly record: Uint8Array;
  readonly entries: number;
  readonly stored: StoredBlobs;
}

/**
 * Brings images into CAS as trees of Directories. Whoever wants the same
 * image, or a layer of it, at the same time shares the work. Layers that were
 * read before are not read again as long as CAS has all their files, so that
 * importing again is also how an image is repaired.
 */
export class ImageImporter {
  readonly #pool: WorkerPool<ImportJob, ImportJobResults>;
  readonly #records: LayerRecordCache;
  readonly #images = new ReportingFlights<ImportedImage, PullProgress>();
  readonly #layers = new ReportingFlights<ReadLayer, { bytesDone: number }>();

  constructor({ workers, records, ...settings }: ImageImporterOptions) {
    this.#records = records;
    this.#pool = new WorkerPool({
      entry: new URL("./import-worker.js", import.meta.url),
      settings,
      size: workers,
      what: "Worker of the image import",
    });
  }

  /** Imports under way. */
  get active(): number {
    return this.#images.size;
  }

  /**
   * Has the image's tree in CAS, whole, when it returns. Throws what the
   * layers' sources, readLayer, buildImageTree and CAS throw, naming the
   * image.
   */
  async import(
    image: ImportableImage,
    { instanceName, ...waiter }: ImportOptions,
  ): Promise<ImportedImage> {
    const key = `${instanceName}\n${image.reference}`;
    return this.#images.run(key, waiter, async (signal, report) => {
      try {
        return await this.#import(image, { instanceName, signal, report });
      } catch (error) {
        throw wrap(error, `Failed to import image "${image.reference}"`);
      }
    });
  }

  /** Ends the imports under way, and the threads. */
  async stop(): Promise<void> {
    await this.#images.stop();
    await this.#layers.stop();
    await this.#pool.stop();
  }

  async #import(
    { layers }: ImportableImage,
    options: {
      readonly instanceName: InstanceName;
      readonly signal: AbortSignal;
      readonly report: (progress: PullProgress) => void;
    },
  ): Promise<ImportedImage> {
    const { instanceName, signal, report } = options;
    const read = new Map<string, ReadLayer>();
    await pullLayers(layers, {
      signal,
      report,
      prepare: async (layer, waiter) => {
        const one = await this.#prepare(layer, instanceName, waiter);
        read.set(layer.diffId, one);
        return one.entries;
      },
    });
    const tree = await this.#runTree(layers, read, { instanceName, signal });
    const { hash, sizeBytes, totals, dropped, digests } = tree;
    return {
      rootDigest: Digest.create(hash, sizeBytes),
      totals,
      dropped,
      digests: new DigestList(digests),
      stored: sumOf([tree, ...read.values()]),
    };
  }

  #prepare(
    layer: ImageLayer,
    instanceName: InstanceName,
    waiter: LayerWaiter,
  ): Promise<ReadLayer> {
    const key = `${instanceName}\n${layer.diffId}`;
    return this.#layers.run(key, waiter, async (signal, report) => {
      const known = await this.#tryKnown(layer.diffId, instanceName, signal);
      return known ?? this.#read(layer, { instanceName, signal, report });
    });
  }

  /** The layer as it was read before, if CAS has all of its files. */
  async #tryKnown(
    diffId: string,
    instanceName: InstanceName,
    signal: AbortSignal,
  ): Promise<ReadLayer | undefined> {
    const record = await this.#records.get(diffId, instanceName);
    if (record === undefined) return undefined;
    const worker = await this.#pool.take(signal, true);
    let entries = 0;
    try {
      const job = { kind: "presence", diffId, record, instanceName } as const;
      const answer = await worker.run(job);
      entries = answer.entries;
      if (answer.outcome !== "present") return undefined;
      return { record, entries, stored: { blobs: 0, bytes: 0 } };
    } finally {
      worker.release(entries);
    }
  }

  async #read(
    layer: ImageLayer,
    options: {
      readonly instanceName: InstanceName;
      readonly signal: AbortSignal;
      readonly report: (progress: { bytesDone: number }) => void;
    },
  ): Promise<ReadLayer> {
    const { instanceName, signal, report } = options;
    const { diffId, descriptor } = layer;
    const worker = await this.#pool.take(signal);
    const channel = openChunkChannel((ended) => layer.open(ended), {
      signal,
      onProgress: report,
    });
    let entries = 0;
    try {
      const result = await worker.run(
        {
          kind: "layer",
          instanceName,
          descriptor,
          diffId,
          limits: defaultLayerLimits,
          chunks: channel.port,
        },
        [channel.port],
      );
      entries = result.entries;
      await this.#records.put(diffId, result.record, instanceName);
      return result;
    } finally {
      await channel.close();
      worker.release(entries);
    }
  }

  async #runTree(
    layers: readonly ImageLayer[],
    read: ReadonlyMap<string, ReadLayer>,
    options: {
      readonly instanceName: InstanceName;
      readonly signal: AbortSignal;
    },
  ): Promise<TreeJobResult> {
    const worker = await this.#pool.take(options.signal, true);
    let entries = 0;
    try {
      const result = await worker.run({
        kind: "tree",
        instanceName: options.instanceName,
        layers: layers.map(({ diffId }) => ({
          diffId,
          record: read.get(diffId)?.record ?? new Uint8Array(),
        })),
        limits: defaultImageTreeLimits,
      });
      const { files, directories, symlinks } = result.totals;
      entries = files + directories + symlinks;
      return result;
    } finally {
      worker.release(entries);
    }
  }
}

function sumOf(
  parts: readonly { readonly stored: StoredBlobs }[],
): StoredBlobs {
  let blobs = 0;
  let bytes = 0;
  for (const { stored } of parts) {
    blobs += stored.blobs;
    bytes += stored.bytes;
  }
  return { blobs, bytes };
}
