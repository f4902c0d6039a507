import { collectDefaultMetrics, Gauge, Registry } from "prom-client";

/**
 * Buckets for times that reach from a cache hit to the pull of a large image:
 * 1 ms to 10 minutes, in seconds.
 */
export const durationBuckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
  60, 120, 300, 600,
];

/**
 * A registry of metrics of one process, Node's own among them. Labels must
 * have few values: never an image reference, never a platform.
 */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Adds a gauge whose value is read whenever metrics are asked for. */
export function addGauge(
  registry: Registry,
  gauge: {
    readonly name: string;
    readonly help: string;
    readonly value: () => number;
  },
): void {
  new Gauge({
    name: gauge.name,
    help: gauge.help,
    registers: [registry],
    collect() {
      this.set(gauge.value());
    },
  });
}
