import type { ErrorSink } from "../../../lib/grpc/index.js";
import type { JobStore } from "./job-store.js";
import { SqliteJobStore } from "./sqlite-job-store.js";
import type { StoreConfiguration } from "./store-configuration.js";

/**
 * Opens the configured store, which the caller closes. The sink is told what
 * nobody asked for: records that are set aside. Throws FailedPrecondition if
 * another process uses it, or if a newer version of berth wrote it.
 */
export async function createJobStore(
  configuration: StoreConfiguration,
  sink: ErrorSink,
): Promise<JobStore> {
  const { path } = configuration;
  return new SqliteJobStore({ path, sink });
}
