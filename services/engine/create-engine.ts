import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import type { Registry } from "prom-client";
import { ActionRouterClient } from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import { FileActionCache } from "../../lib/action-cache/index.js";
import { FileContentAddressableStorage } from "../../lib/cas/index.js";
import { createCasServices } from "../../lib/cas-service/index.js";
import {
  channelCredentials,
  channelOptions,
  type ErrorSink,
  type GrpcServer,
  serveGrpc,
} from "../../lib/grpc/index.js";
import { createActionCacheService } from "./action-cache-service.js";
import { createCasReader } from "./cas-reader.js";
import { CompletenessCheckingActionCache } from "./completeness-checking-action-cache.js";
import type { EngineConfiguration } from "./configuration.js";
import { createExecutionServices } from "./execution-service.js";
import { executeAction } from "./runner/action-executor.js";
import { FileBuildDirectories } from "./runner/file-build-directories.js";
import { ProgramIdentity } from "./runner/program-identity.js";
import { ProgramSpawner } from "./runner/program-spawner.js";
import { ActionQueue } from "./scheduling/action-queue.js";
import { createDirectActionRouting } from "./scheduling/direct-action-routing.js";
import { createEngineMetrics } from "./scheduling/engine-metrics.js";
import { createGrpcActionRouting } from "./scheduling/grpc-action-routing.js";
import { Scheduler } from "./scheduling/scheduler.js";

/** A running engine. */
export interface Engine {
  /** The addresses that it listens on, in the configuration's order. */
  readonly addresses: readonly string[];
  /**
   * Takes no new calls, waits `graceMs` for those under way, cancels the
   * rest, and writes down what the next start is faster with.
   */
  stop(graceMs: number): Promise<void>;
}

/** Builds an engine of its configuration and serves it. */
export async function createEngine(
  configuration: EngineConfiguration,
  options: { metrics: Registry; sink: ErrorSink },
): Promise<Engine> {
  const { sink } = options;
  const isRoot = process.getuid?.() === 0;
  const slots = configuration.concurrency ?? availableParallelism();
  const { users } = configuration;
  const identity = new ProgramIdentity({
    helperPath: configuration.helper,
    firstUid: isRoot ? users.firstAction : undefined,
    slots,
  });
  await identity.killAllLeftovers(configuration.build);
  const buildDirectories = new FileBuildDirectories(configuration.build);
  await buildDirectories.clear();
  const cas = new FileContentAddressableStorage({
    directory: join(configuration.state, "cas"),
    maximumSizeBytes: configuration.cas.maximumSize,
    memorySizeBytes: configuration.cas.memorySize,
    ...(isRoot ? { owner: { uid: users.cas, gid: users.cas } } : {}),
  });
  const actionCache = new CompletenessCheckingActionCache(
    new FileActionCache({
      directory: join(configuration.state, "action-cache"),
      maximumResults: configuration.actionCache.maximumResults,
    }),
    cas,
  );
  const spawner = new ProgramSpawner();
  const queue = new ActionQueue(slots);
  const reader = createCasReader(cas);
  const routing = createRouting(configuration, reader);
  const scheduler = new Scheduler({
    reader,
    actionCache,
    routing: routing.routing,
    platform: platformOf(configuration),
    queue,
    times: {
      keepaliveMs: configuration.keepalive,
      abandonAfterMs: configuration.abandonAfter,
    },
    metrics: createEngineMetrics(options.metrics, {
      queueLength: () => queue.length,
      casTotals: () => cas.totals,
    }),
    execute: (execution) =>
      executeAction(execution, {
        cas,
        reader,
        buildDirectories,
        identity,
        spawner,
        placement: isRoot ? "link" : "copy",
        defaultTimeoutMs: configuration.timeout.default,
        maximumTimeoutMs: configuration.timeout.maximum,
        maximumOutputBytes: configuration.maximumOutputSize,
        workerName: hostname(),
        sink,
      }),
    sink,
  });
  const servers: GrpcServer[] = [];
  for (const { address, actionCacheUpdates: updates } of configuration.listen) {
    const server = await serveGrpc({
      listen: address,
      services: [
        ...createCasServices({
          cas,
          actionCacheUpdates: updates,
          execution: true,
          sink,
        }),
        createActionCacheService({ actionCache, cas, updates, sink }),
        ...createExecutionServices({ scheduler, cas, sink }),
      ],
      sink,
    });
    servers.push(server);
  }
  return {
    addresses: servers.map(({ address }) => address),
    stop: async (graceMs) => {
      const stopped = servers.map((server) => server.stop(graceMs));
      const timer = setTimeout(() => scheduler.cancelAll(), graceMs / 2);
      await Promise.all(stopped);
      clearTimeout(timer);
      scheduler.cancelAll();
      await scheduler.idle();
      await Promise.all([spawner.stop(), buildDirectories.idle()]);
      routing.close();
      cas.close();
    },
  };
}

function createRouting(
  { router }: EngineConfiguration,
  reader: ReturnType<typeof createCasReader>,
) {
  if (router === undefined) {
    return { routing: createDirectActionRouting(reader), close: () => {} };
  }
  const client = new ActionRouterClient(
    router.address,
    channelCredentials(),
    channelOptions({}),
  );
  return {
    routing: createGrpcActionRouting(client),
    close: () => client.close(),
  };
}

function platformOf({ platform }: EngineConfiguration) {
  return Object.fromEntries(
    Object.entries(platform).map(([name, value]) => [name, [value].flat()]),
  );
}
