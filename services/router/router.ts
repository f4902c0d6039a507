import { setTimeout as sleep } from "node:timers/promises";
import type { Registry } from "prom-client";
import { type GrpcServer, readTls, serveGrpc } from "../../lib/grpc/index.js";
import type { Logger } from "../../lib/log/index.js";
import { serveDiagnostics } from "../../lib/metrics/index.js";
import {
  createInvocationKeys,
  type MetadataRule,
} from "../../lib/route/index.js";
import { toStatusError } from "../../lib/status/index.js";
import { createActionRouterService } from "./action-router-service.js";
import type { RouterConfiguration } from "./configuration.js";
import { createConfiguredImages } from "./configured-images.js";
import { createConfiguredInstances } from "./configured-instances.js";
import { createImageResolverMetrics } from "./metrics-image-resolver.js";
import { type CasProbe, waitUntilReachable } from "./readiness.js";
import { createRepeatedActions } from "./repeated-actions.js";
import { createInstanceLookup } from "./router-instances.js";
import { createRouterMetrics } from "./router-metrics.js";

/** A running router. */
export interface Router {
  /** Where it listens for gRPC. */
  readonly address: string;
  /** Where it answers over HTTP; undefined if it was not asked to. */
  readonly diagnosticsAddress: string | undefined;
  /** Resolves when every CAS has answered, and readiness says so. */
  readonly ready: Promise<void>;
  /** Takes no new actions, finishes those under way, lets go of everything. */
  stop(): Promise<void>;
}

/** Makes sure that a router could be built from the configuration. */
export async function checkRouterConfiguration(
  configuration: RouterConfiguration,
  parts: { metrics: Registry; log: Logger },
): Promise<void> {
  const built = await buildService(configuration, parts.metrics, parts.log);
  await built.close();
}

/** Builds a router and serves. Throws InvalidArgument for what is wrong. */
export async function startRouter(
  configuration: RouterConfiguration,
  parts: { metrics: Registry; log: Logger },
): Promise<Router> {
  const { log, metrics } = parts;
  const built = await buildService(configuration, metrics, log);
  const tls = await readTls(configuration.tls);
  const server = await serveGrpc({
    listen: configuration.listen,
    services: [built.service],
    sink: built.sink,
    maxMessageBytes: configuration.limits.messageSize,
    ...(tls === undefined ? {} : { tls }),
  }).catch(async (error: unknown) => {
    await built.close();
    throw error;
  });
  const readiness = watchReadiness(server, built.probes, log);
  const diagnostics =
    configuration.diagnostics === undefined
      ? undefined
      : await serveDiagnostics({
          listen: configuration.diagnostics,
          metrics,
          isReady: readiness.isReady,
        });
  return {
    address: server.address,
    diagnosticsAddress: diagnostics?.address,
    ready: readiness.ready,
    stop: async () => {
      readiness.stop();
      const { drainTimeout } = configuration.limits;
      await server.stop(drainTimeout);
      const waited = new AbortController();
      const late = sleep(drainTimeout, undefined, waited).catch(() => {});
      await Promise.race([built.whenIdle(), late]);
      waited.abort();
      await diagnostics?.stop();
      await built.close();
    },
  };
}

async function buildService(
  configuration: RouterConfiguration,
  registry: Registry,
  log: Logger,
) {
  const metrics = createRouterMetrics(registry);
  const sink = (error: unknown) =>
    log.error("Failed to answer", { error: toStatusError(error) });
  const images = createConfiguredImages(configuration);
  const configured = await createConfiguredInstances(configuration, {
    images,
    observe: createImageResolverMetrics(registry),
    metrics,
    sink: (error) =>
      log.warn("Failed to keep images in CAS", { error: toStatusError(error) }),
  }).catch(async (error: unknown) => {
    await images.close();
    throw error;
  });
  const { service, whenIdle } = createActionRouterService({
    findInstance: createInstanceLookup(configured.instances),
    invocationKeys: createInvocationKeys(configuration.invocationKeys),
    metadataRules: configuration.metadataRules.map(metadataRuleOf),
    isRepeated: createRepeatedActions(),
    routeTimeoutMs: configuration.limits.routeTimeout,
    maximumConcurrentRoutes: configuration.limits.concurrentRoutes,
    metrics,
    sink,
    log,
  });
  return {
    service,
    whenIdle,
    sink,
    probes: configured.probes,
    close: async () => {
      await configured.close();
      await images.close();
    },
  };
}

function metadataRuleOf(
  rule: RouterConfiguration["metadataRules"][number],
): MetadataRule {
  return {
    when: rule.when,
    setProperties: new Map(Object.entries(rule.setProperties)),
    doNotCache: rule.doNotCache,
    refusal: rule.refuse,
  };
}

function watchReadiness(
  server: GrpcServer,
  probes: readonly CasProbe[],
  log: Logger,
) {
  const controller = new AbortController();
  let isReady = false;
  server.setServing(false);
  const ready = waitUntilReachable(probes, {
    log,
    signal: controller.signal,
  }).then(() => {
    isReady = true;
    server.setServing(true);
  });
  ready.catch(() => {}); // aborted by stop(): nobody waits for it then
  return {
    ready,
    isReady: () => isReady,
    stop: () => {
      isReady = false;
      controller.abort();
    },
  };
}
