export { receiveChunks } from "./chunk-channel.js";
export { type ChunkChannel, openChunkChannel } from "./open-chunk-channel.js";
export { serveWorkerJobs } from "./serve-worker-jobs.js";
export {
  type PooledWorker,
  WorkerPool,
  type WorkerPoolOptions,
} from "./worker-pool.js";
