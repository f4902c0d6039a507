import { parentPort, workerData } from "node:worker_threads";
import { innerErrno, toStatusError } from "../status/index.js";
import type { AnyJob, WorkerAnswer } from "./worker-job.js";

/**
 * The entry of a pool's worker thread: runs one job at a time, and gives one
 * answer for each. `Settings` is what the pool was made with. Does nothing on
 * the main thread.
 */
export function serveWorkerJobs<Job extends AnyJob, Settings>(
  run: (job: Job, settings: Settings) => Promise<unknown>,
): void {
  const port = parentPort;
  if (port === null) return;
  const settings = workerData as Settings; // what the pool passes
  port.on("message", async (job: Job) => {
    let message: WorkerAnswer;
    try {
      message = { result: await run(job, settings) };
    } catch (error) {
      const { code, message: text } = toStatusError(error);
      message = { error: { code, message: text, errno: innerErrno(error) } };
    }
    port.postMessage(message);
  });
}
