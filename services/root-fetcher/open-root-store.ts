import { defaultImageTreeLimits } from "../../lib/image-tree/index.js";
import type { KernelCalls } from "../../lib/kernel-calls/index.js";
import { defaultLayerLimits } from "../../lib/layer/index.js";
import type { Logger } from "../../lib/log/index.js";
import { RootStore, type StoreOwner } from "../../lib/root-store/index.js";
import { toStatusError } from "../../lib/status/index.js";
import type { RootFetcherConfiguration } from "./configuration.js";
import type { RootFetcherMetrics } from "./root-fetcher-metrics.js";

/** Uid and gid that nothing else on a machine has; nobody is 65534. */
const defaultSandboxId = 65_533;

/** Opens the configured store, with its events logged and counted. */
export async function openRootStore(
  configuration: RootFetcherConfiguration,
  parts: { kernel: KernelCalls; log: Logger; metrics: RootFetcherMetrics },
): Promise<RootStore> {
  const { kernel, log, metrics } = parts;
  const store = await RootStore.open({
    directory: configuration.store,
    kernel,
    owner: ownerOf(configuration),
    budget: {
      maximumBytes: configuration.maximumSize,
      maximumInodes: configuration.maximumInodes,
      minimumFreeBytes: configuration.minimumFree,
    },
    layerLimits: defaultLayerLimits,
    treeLimits: defaultImageTreeLimits,
    maximumPulls: configuration.maximumPulls,
    ...(configuration.workers !== undefined && {
      workers: configuration.workers,
    }),
    onPulled: (durationMs) => metrics.pulled(durationMs / 1000),
    onEvicted: (root, reason) => {
      metrics.evicted(reason);
      log.info("Evicted image root", {
        imageReference: root.reference,
        reason,
      });
    },
    onError: (error) => {
      const { message } = toStatusError(error);
      log.error("Failed to keep the store in order", { error, message });
    },
  });
  metrics.watch(() => store.statistics());
  return store;
}

function ownerOf(configuration: RootFetcherConfiguration): StoreOwner {
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  return {
    uid: configuration.sandboxUid ?? (uid === 0 ? defaultSandboxId : uid),
    gid: configuration.sandboxGid ?? (uid === 0 ? defaultSandboxId : gid),
  };
}
