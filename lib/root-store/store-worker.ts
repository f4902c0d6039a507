import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { toStatusError } from "../status/index.js";
import { runAuditJob, runCollectJob } from "./content-collector.js";
import { innerErrno } from "./errno.js";
import { runLayerJob } from "./layer-job.js";
import { removeTree } from "./remove-tree.js";
import { runRootJob } from "./root-job.js";
import type { StoreJob, StoreJobResults, StoreSettings } from "./store-job.js";
import type { StoreWorkerAnswer } from "./store-worker-pool.js";

// The entry of a worker thread: one job at a time, one answer for each.

async function run(
  job: StoreJob,
  settings: StoreSettings,
): Promise<StoreJobResults[keyof StoreJobResults]> {
  switch (job.kind) {
    case "layer":
      return runLayerJob(job, settings);
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
}

async function answer(
  port: MessagePort,
  job: StoreJob,
  settings: StoreSettings,
): Promise<void> {
  let message: StoreWorkerAnswer;
  try {
    message = { result: await run(job, settings) };
  } catch (error) {
    const { code, message: text } = toStatusError(error);
    message = { error: { code, message: text, errno: innerErrno(error) } };
  }
  port.postMessage(message);
}

if (parentPort !== null) {
  const port = parentPort;
  const settings = workerData as StoreSettings; // what the pool passes
  port.on("message", (job: StoreJob) => void answer(port, job, settings));
}
