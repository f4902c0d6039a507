import { WorkerPool } from "../worker-pool/index.js";
import type { StoreJob, StoreJobResults, StoreSettings } from "./store-job.js";

/** Worker threads of a store. */
export type StoreWorkerPool = WorkerPool<StoreJob, StoreJobResults>;

/** A pool of so many threads, none of which is started yet. */
export function createStoreWorkerPool(
  settings: StoreSettings,
  size: number,
): StoreWorkerPool {
  return new WorkerPool({
    entry: new URL("./store-worker.js", import.meta.url),
    settings,
    size,
    what: "Worker of the store",
  });
}
