import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { durationBuckets } from "../../lib/metrics/index.js";
import type { ImageResolver } from "../../lib/registry/index.js";
import { Code, codeName, toStatusError } from "../../lib/status/index.js";

/** How an action ended up, as a label. */
export type RouteMode = "pass" | "sandbox" | "bind_mount" | "none";

/** What is kept, as a label. */
export type CacheTier = "command" | "known_present";

/** The router's own metrics. */
export interface RouterMetrics {
  /** Counts one request; mode "none" where it was refused before one. */
  countRoute(mode: RouteMode, code: Code, seconds: number): void;
  /** Actions that are being routed. */
  readonly inFlight: Gauge;
  /** Counts a look into a cache. */
  countLookup(tier: CacheTier, result: "hit" | "miss"): void;
  /** A resolver whose times are observed. */
  observe(images: ImageResolver): ImageResolver;
}

/** Makes and registers them. */
export function createRouterMetrics(registry: Registry): RouterMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: "berth_router_requests_total",
    help: "Actions routed, by mode, result (ok, refused, failed) and code",
    labelNames: ["mode", "result", "code"],
    registers,
  });
  const seconds = new Histogram({
    name: "berth_router_route_seconds",
    help: "Time from request to answer",
    labelNames: ["mode"],
    buckets: [...durationBuckets],
    registers,
  });
  const resolveSeconds = new Histogram({
    name: "berth_router_image_resolve_seconds",
    help: "Time to settle an image's manifest, caches included, by result",
    labelNames: ["result"],
    buckets: [...durationBuckets],
    registers,
  });
  const lookups = new Counter({
    name: "berth_router_cache_events_total",
    help: "Looks into what the router keeps, by tier and result",
    labelNames: ["tier", "result"],
    registers,
  });
  const timed = async <T>(work: Promise<T>, start: number): Promise<T> => {
    let result = "ok";
    try {
      return await work;
    } catch (error) {
      result = resultOf(toStatusError(error).code);
      throw error;
    } finally {
      const elapsed = (performance.now() - start) / 1000;
      resolveSeconds.observe({ result }, elapsed);
    }
  };
  return {
    countRoute: (mode, code, elapsed) => {
      requests.inc({ mode, result: resultOf(code), code: codeName(code) });
      seconds.observe({ mode }, elapsed);
    },
    inFlight: new Gauge({
      name: "berth_router_requests_in_flight",
      help: "Actions that are being routed",
      registers,
    }),
    countLookup: (tier, result) => lookups.inc({ tier, result }),
    observe: (images) => ({
      resolve: (reference, platform, options) =>
        timed(images.resolve(reference, platform, options), performance.now()),
    }),
  };
}

/** Whether the client or somebody else must act. */
function resultOf(code: Code): "ok" | "refused" | "failed" {
  switch (code) {
    case Code.Ok:
      return "ok";
    case Code.Cancelled:
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.PermissionDenied:
    case Code.FailedPrecondition:
      return "refused";
    default:
      return "failed";
  }
}
