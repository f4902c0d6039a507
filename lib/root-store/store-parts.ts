import type { KernelCalls } from "../kernel-calls/index.js";
import type { ContentTrash } from "./content-trash.js";
import type { LayerRecords } from "./layer-records.js";
import type { RootIndex } from "./root-index.js";
import type { StoreLayout } from "./store-layout.js";
import type { StoreUsage } from "./store-usage.js";
import type { StoreWorkerPool } from "./store-worker-pool.js";

/** What the parts of an open store share. */
export interface StoreParts {
  readonly layout: StoreLayout;
  readonly kernel: KernelCalls;
  /** Workers that read layers and write roots. */
  readonly pool: StoreWorkerPool;
  /** One worker that removes and counts, so that pulls need not wait for it. */
  readonly janitor: StoreWorkerPool;
  readonly index: RootIndex;
  readonly layers: LayerRecords;
  readonly trash: ContentTrash;
  readonly usage: StoreUsage;
  /** Makes all that was written so far durable, in one call. */
  readonly sync: () => Promise<void>;
  readonly now: () => number;
}
