export { receiveChunks, sendChunks } from "./chunk-channel.js";
export { serveWorkerJobs } from "./serve-worker-jobs.js";
export {
  type PooledWorker,
  WorkerPool,
  type WorkerPoolOptions,
} from "./worker-pool.js";
