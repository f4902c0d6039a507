import { readFile } from "node:fs/promises";
import type { ErrorSink } from "../../../lib/grpc/index.js";
import { wrap } from "../../../lib/status/index.js";
import type { JobStore } from "./job-store.js";
import type { StoreConfiguration } from "./store-configuration.js";
import { ThreadedJobStore } from "./thread/threaded-job-store.js";

/**
 * Opens the configured store, which the caller closes. The sink is told what
 * nobody asked for: records that are set aside, a Redis that goes away or does
 * not keep what it is told. Throws FailedPrecondition if another process uses
 * the store, or if a newer version of berth wrote it.
 */
export async function createJobStore(
  configuration: StoreConfiguration,
  sink: ErrorSink,
): Promise<JobStore> {
  if (configuration.kind === "sqlite") {
    return ThreadedJobStore.open({ path: configuration.path, sink });
  }
  const { url, prefix, passwordFile, caFile } = configuration;
  const password = await readOptionalFile(passwordFile);
  const certificateAuthorities = await readOptionalFile(caFile);
  const server = {
    url,
    password: password?.toString().replace(/\r?\n$/, ""),
    certificateAuthorities,
  };
  // Loaded by those alone who have a Redis: its client takes a while.
  const { RedisJobStore } = await import("./redis/redis-job-store.js");
  return RedisJobStore.open({ server, prefix, sink });
}

async function readOptionalFile(
  path: string | undefined,
): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  return readFile(path).catch((error: unknown) => {
    throw wrap(error, `Failed to read "${path}"`);
  });
}
