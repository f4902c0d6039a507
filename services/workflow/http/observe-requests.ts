import { randomUUID } from "node:crypto";
import type { FastifyRequest, RawRequestDefaultExpression } from "fastify";
import { Histogram, type Registry } from "prom-client";
import type { Logger } from "../../../lib/log/index.js";
import { addGauge, durationBuckets } from "../../../lib/metrics/index.js";
import type { HttpServer } from "./http-context.js";
import type { StreamSlots } from "./stream-slots.js";

/** The client's own id of a request where it has one, to find it in logs. */
export function requestId({ headers }: RawRequestDefaultExpression): string {
  const given = headers["x-request-id"];
  const isPlain =
    typeof given === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(given);
  return isPlain ? given : randomUUID();
}

/**
 * Counts requests by route and status, and says each at level debug. Neither
 * holds headers, queries or bodies: those may have secrets.
 */
export function observeRequests(
  server: HttpServer,
  {
    log,
    metrics,
    slots,
  }: { log: Logger; metrics: Registry; slots: StreamSlots },
): void {
  const seconds = new Histogram({
    name: "berth_workflow_http_request_seconds",
    help: "Time from a request's head to the end of its answer",
    labelNames: ["method", "route", "status"],
    buckets: [...durationBuckets],
    registers: [metrics],
  });
  addGauge(metrics, {
    name: "berth_workflow_http_streams",
    help: "Event streams and logs that are being followed",
    value: () => slots.taken,
  });
  server.addHook("onResponse", async (request, reply) => {
    const route = routeOf(request);
    const duration = reply.elapsedTime / 1_000;
    const status = reply.statusCode;
    // Any method may be sent; those that we do not have are one.
    const method = route === "none" ? "other" : request.method;
    seconds.observe({ method, route, status }, duration);
    log.debug("Answered request", {
      requestId: request.id,
      method: request.method,
      path: request.url.split("?", 1)[0]?.slice(0, 300),
      status,
      durationMs: Math.round(reply.elapsedTime),
      ...(request.tenant?.name !== "" && { tenant: request.tenant?.name }),
    });
  });
}

/** The pattern of the route: of paths there are too many for a label. */
function routeOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? "none";
}
