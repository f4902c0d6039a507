import { Counter, Histogram, type Registry } from "prom-client";
import { addGauge, durationBuckets } from "../../../lib/metrics/index.js";

/** What the engine counts. */
export interface EngineMetrics {
  /** Actions by result: cached, succeeded, failed, cancelled, not_executed. */
  readonly actions: Counter<"result">;
  /** From leaving the queue to the end of storing outputs. */
  readonly executionSeconds: Histogram;
}

/** What is read when metrics are asked for. */
export interface EngineGauges {
  queueLength(): number;
  casTotals(): { readonly bytes: number; readonly blobs: number };
}

/** Registers the engine's metrics. */
export function createEngineMetrics(
  registry: Registry,
  gauges: EngineGauges,
): EngineMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number) =>
    addGauge(registry, { name, help, value });
  gauge("berth_engine_queued_actions", "Actions that wait for a slot", () =>
    gauges.queueLength(),
  );
  gauge(
    "berth_engine_cas_bytes",
    "Bytes that CAS takes on disk",
    () => gauges.casTotals().bytes,
  );
  gauge(
    "berth_engine_cas_blobs",
    "Blobs in CAS",
    () => gauges.casTotals().blobs,
  );
  return {
    actions: new Counter({
      name: "berth_engine_actions_total",
      help: "Actions by what came of them",
      labelNames: ["result"],
      registers,
    }),
    executionSeconds: new Histogram({
      name: "berth_engine_execution_seconds",
      help: "Time of an execution, inputs and outputs included",
      buckets: [...durationBuckets],
      registers,
    }),
  };
}
