import { Counter, Histogram, type Registry } from "prom-client";
import { addGauge, durationBuckets } from "../../lib/metrics/index.js";
import type {
  EvictionReason,
  StoreStatistics,
} from "../../lib/root-store/index.js";

/** How an acquire ended: the root was there, was pulled, or neither. */
export type AcquireOutcome = "hit" | "miss" | "error";

/** What the root fetcher counts. */
export interface RootFetcherMetrics {
  acquired(outcome: AcquireOutcome, seconds: number): void;
  pulled(seconds: number): void;
  evicted(reason: EvictionReason): void;
  /** Reads gauges from the store whenever they are asked for. */
  watch(statistics: () => StoreStatistics): void;
}

const prefix = "berth_root_fetcher";

/** Registers the root fetcher's metrics. */
export function createRootFetcherMetrics(
  registry: Registry,
): RootFetcherMetrics {
  const registers = [registry];
  const acquireSeconds = new Histogram({
    name: `${prefix}_acquire_seconds`,
    help: "Time from ACQUIRE to its answer",
    labelNames: ["outcome"],
    buckets: [...durationBuckets],
    registers,
  });
  const pullSeconds = new Histogram({
    name: `${prefix}_pull_seconds`,
    help: "Time in which a root was made, however many waited for it",
    buckets: [...durationBuckets],
    registers,
  });
  const evictions = new Counter({
    name: `${prefix}_evictions_total`,
    help: "Roots that were evicted, by what was short",
    labelNames: ["reason"],
    registers,
  });
  return {
    acquired: (outcome, seconds) =>
      acquireSeconds.observe({ outcome }, seconds),
    pulled: (seconds) => pullSeconds.observe(seconds),
    evicted: (reason) => evictions.inc({ reason }),
    watch: (statistics) => watch(registry, statistics),
  };
}

const gauges: Readonly<Record<keyof StoreStatistics, string>> = {
  roots: "Complete image roots",
  leases: "Leases that connections hold",
  bytes: "Content of the store's files, each inode counted once",
  inodes: "Files, directories and symbolic links of the store",
  pulls: "Roots that are being made",
};

function watch(registry: Registry, statistics: () => StoreStatistics): void {
  for (const name of Object.keys(gauges) as (keyof StoreStatistics)[]) {
    addGauge(registry, {
      name: `${prefix}_${name}`,
      help: gauges[name],
      value: () => statistics()[name],
    });
  }
}
