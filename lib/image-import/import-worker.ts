import {
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../cas/index.js";
import { serveWorkerJobs } from "../worker-pool/index.js";
import type { ImportJob, ImportSettings } from "./import-worker-job.js";
import { runLayerJob, runPresenceJob } from "./run-layer-job.js";
import { runTreeJob } from "./run-tree-job.js";

// The entry of an importer's worker threads.

let cas: GrpcContentAddressableStorage | undefined;

serveWorkerJobs(async (job: ImportJob, settings: ImportSettings) => {
  cas ??= new GrpcContentAddressableStorage(createGrpcCasClients(settings.cas));
  switch (job.kind) {
    case "layer":
      return runLayerJob(job, settings, cas);
    case "presence":
      return runPresenceJob(job, cas);
    case "tree":
      return runTreeJob(job, settings, cas);
  }
});
