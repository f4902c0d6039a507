import { Histogram, type Registry } from "prom-client";
import { durationBuckets } from "../../lib/metrics/index.js";
import type { ImageResolver } from "../../lib/registry/index.js";
import {
  Code,
  isInfrastructureError,
  toStatusError,
} from "../../lib/status/index.js";

/** How something ended, as a label. */
export type ResultLabel = "ok" | "refused" | "failed";

/** Whether the client must act, or somebody else. */
export function resultOf(code: Code): ResultLabel {
  if (code === Code.Ok) return "ok";
  return isInfrastructureError(code) ? "failed" : "refused";
}

/** Has the times of resolvers observed, what they keep included. */
export function createImageResolverMetrics(
  registry: Registry,
): (images: ImageResolver) => ImageResolver {
  const seconds = new Histogram({
    name: "berth_router_image_resolve_seconds",
    help: "Time to settle an image's manifest, caches included, by result",
    labelNames: ["result"],
    buckets: [...durationBuckets],
    registers: [registry],
  });
  return (images) => ({
    resolve: async (reference, platform, options) => {
      const start = performance.now();
      let result: ResultLabel = "ok";
      try {
        return await images.resolve(reference, platform, options);
      } catch (error) {
        result = resultOf(toStatusError(error).code);
        throw error;
      } finally {
        seconds.observe({ result }, (performance.now() - start) / 1000);
      }
    },
  });
}
