import { serveWorkerJobs } from "../worker-pool/index.js";
import { runAuditJob, runCollectJob } from "./content-collector.js";
import { runLayerJob } from "./layer-job.js";
import { removeTree } from "./remove-tree.js";
import { runRootJob } from "./root-job.js";
import type { StoreJob, StoreSettings } from "./store-job.js";
import { runTreeJob } from "./tree-job.js";

// The entry of a store's worker threads.

serveWorkerJobs(async (job: StoreJob, settings: StoreSettings) => {
  switch (job.kind) {
    case "layer":
      return runLayerJob(job, settings);
    case "tree":
      return runTreeJob(job, settings);
    case "root":
      return runRootJob(job, settings);
    case "remove":
      for (const path of job.paths) removeTree(path);
      return undefined;
    case "collect":
      return runCollectJob(job, settings);
    case "audit":
      return runAuditJob(job, settings);
  }
});
