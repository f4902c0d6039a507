import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { KeeperEvent } from "../../lib/cas-image/index.js";
import { durationBuckets } from "../../lib/metrics/index.js";
import { type Code, codeName } from "../../lib/status/index.js";
import { resultOf } from "./metrics-image-resolver.js";

/** How an action ended up, as a label. */
export type RouteMode =
  | "pass"
  | "sandbox"
  | "bind_mount"
  | "bind_mount_cas"
  | "inline"
  | "none";

/** What is kept, as a label. */
export type CacheTier = "command" | "known_present";

/** The router's own metrics. */
export interface RouterMetrics {
  /** Counts one request; mode "none" where it was refused before one. */
  countRoute(mode: RouteMode, code: Code, seconds: number): void;
  /** Actions that are being routed. */
  readonly inFlight: Gauge;
  /** Counts what happened to an image that is kept in CAS. */
  countImage(event: KeeperEvent): void;
  /** Counts a look into a cache. */
  countLookup(tier: CacheTier, result: "hit" | "miss"): void;
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
  const lookups = new Counter({
    name: "berth_router_cache_events_total",
    help: "Looks into what the router keeps, by tier and result",
    labelNames: ["tier", "result"],
    registers,
  });
  const imageEvents = new Counter({
    name: "berth_router_cas_images_total",
    help: "Images in CAS: found or imported, confirmed present, repaired",
    labelNames: ["event"],
    registers,
  });
  return {
    countImage: (event) => imageEvents.inc({ event }),
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
  };
}
