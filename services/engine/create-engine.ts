import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import type { Registry } from "prom-client";
import { ActionRouterClient } from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import { FileActionCache } from "../../lib/action-cache/index.js";
import { FileContentAddressableStorage } from "../../lib/cas/index.js";
import { createCasServices } from "../../lib/cas-service/index.js";
import { FairQueue } from "../../lib/fair-queue/index.js";
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
import { createInstanceSettings } from "./instance-settings.js";
import { createLogStreamReader } from "./logs/log-stream-reader.js";
import {
  type ActionExecutorOptions,
  type Execution,
  executeAction,
} from "./runner/action-executor.js";
import { FileBuildDirectories } from "./runner/file-build-directories.js";
import { FileImageLayouts } from "./runner/file-image-layouts.js";
import { ProgramIdentity } from "./runner/program-identity.js";
import { ProgramSpawner } from "./runner/program-spawner.js";
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

/**
 * Actions that may wait: each takes some 20 KiB of memory with its stream,
 * and a client that has more of them could as well ask again later.
 */
const maximumQueue = 50_000;

/** Builds an engine of its configuration and serves it. */
export async function createEngine(
  configuration: EngineConfiguration,
  options: { metrics: Registry; sink: ErrorSink },
): Promise<Engine> {
  const stores = createStores(configuration);
  const { cas, reader } = stores;
  const settingsOf = createInstanceSettings(configuration);
  const runner = await createRunner(configuration, {
    ...stores,
    settingsOf,
    sink: options.sink,
  });
  const routing = createRouting(configuration, reader);
  const queue = new FairQueue(slotsOf(configuration), maximumQueue);
  const scheduler = new Scheduler({
    reader,
    actionCache: stores.actionCache,
    routing: routing.routing,
    platform: platformOf(configuration),
    queue,
    times: (instanceName) => ({
      keepaliveMs: configuration.keepalive,
      abandonAfterMs: settingsOf(instanceName).abandonAfterMs,
    }),
    metrics: createEngineMetrics(options.metrics, {
      queueLength: () => queue.length,
      casTotals: () => cas.totals,
    }),
    execute: runner.execute,
    sink: options.sink,
  });
  const servers = await serve(configuration, {
    ...stores,
    scheduler,
    sink: options.sink,
  });
  return {
    addresses: servers.map(({ address }) => address),
    stop: async (graceMs) => {
      const stopped = servers.map((server) => server.stop(graceMs));
      const timer = setTimeout(() => scheduler.cancelAll(), graceMs / 2);
      await Promise.all(stopped);
      clearTimeout(timer);
      runner.abandon(); // nobody can ask for results any more
      scheduler.cancelAll();
      await scheduler.idle();
      await runner.stop();
      routing.close();
      cas.close();
    },
  };
}

/** Whether we may give files away and run commands as other users. */
function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function slotsOf({ concurrency }: EngineConfiguration): number {
  return concurrency ?? availableParallelism();
}

function createStores(configuration: EngineConfiguration) {
  const { state, users } = configuration;
  const cas = new FileContentAddressableStorage({
    directory: join(state, "cas"),
    maximumSizeBytes: configuration.cas.maximumSize,
    memorySizeBytes: configuration.cas.memorySize,
    ...(isRoot() ? { owner: { uid: users.cas, gid: users.cas } } : {}),
  });
  const results = new FileActionCache({
    directory: join(state, "action-cache"),
    maximumResults: configuration.actionCache.maximumResults,
  });
  const actionCache = new CompletenessCheckingActionCache(results, cas);
  return { cas, actionCache, reader: createCasReader(cas) };
}

type Stores = ReturnType<typeof createStores>;

/** What executes actions; what an earlier process left is ended first. */
async function createRunner(
  configuration: EngineConfiguration,
  {
    cas,
    reader,
    settingsOf,
    sink,
  }: Stores & {
    settingsOf: ReturnType<typeof createInstanceSettings>;
    sink: ErrorSink;
  },
) {
  const identity = new ProgramIdentity({
    helperPath: configuration.helper,
    firstUid: isRoot() ? configuration.users.firstAction : undefined,
    slots: slotsOf(configuration),
  });
  await identity.killAllLeftovers(configuration.build);
  const buildDirectories = new FileBuildDirectories(configuration.build);
  await buildDirectories.clear();
  const spawner = new ProgramSpawner();
  const stopped = new AbortController();
  const settings: Omit<ActionExecutorOptions, "maximumOutputBytes"> = {
    cas,
    reader,
    buildDirectories,
    // As many as can be in use at a time.
    layouts: new FileImageLayouts(
      join(configuration.build, "images"),
      slotsOf(configuration),
    ),
    identity,
    spawner,
    placement: isRoot() ? "link" : "copy",
    defaultTimeoutMs: configuration.timeout.default,
    maximumTimeoutMs: configuration.timeout.maximum,
    // More would not stay in CAS until the client has read it.
    maximumOutputsBytes: configuration.cas.maximumSize,
    workerName: hostname(),
    sink,
    stopped: stopped.signal,
  };
  return {
    execute: (execution: Execution) => {
      const { maximumOutputBytes } = settingsOf(execution.instanceName);
      return executeAction(execution, { ...settings, maximumOutputBytes });
    },
    abandon: () => stopped.abort(),
    stop: () => Promise.all([spawner.stop(), buildDirectories.idle()]),
  };
}

/** One server per address: they differ in who may write the action cache. */
async function serve(
  configuration: EngineConfiguration,
  parts: Stores & { scheduler: Scheduler; sink: ErrorSink },
): Promise<GrpcServer[]> {
  const { cas, actionCache, scheduler, sink } = parts;
  const openFrom = cas.openFrom.bind(cas);
  const servers: GrpcServer[] = [];
  for (const { address, actionCacheUpdates: updates } of configuration.listen) {
    const server = await serveGrpc({
      listen: address,
      services: [
        ...createCasServices({
          cas,
          actionCacheUpdates: updates,
          execution: true,
          uploadIdleMs: configuration.cas.uploadIdle,
          openFrom,
          readOther: createLogStreamReader({
            find: (operation) => scheduler.find(operation),
            open: openFrom,
          }),
          sink,
        }),
        createActionCacheService({ actionCache, cas, updates, sink }),
        ...createExecutionServices({ scheduler, cas, sink }),
      ],
      sink,
    });
    servers.push(server);
  }
  return servers;
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
