import { setFlagsFromString } from "node:v8";
import { createKernelCalls } from "../../lib/kernel-calls/index.js";
import { createLogger } from "../../lib/log/index.js";
import { createMetrics, serveDiagnostics } from "../../lib/metrics/index.js";
import {
  aborted,
  type ProgramContext,
  parseServiceArguments,
  runProgram,
} from "../../lib/program/index.js";
import {
  createConfiguredImageSource,
  createDeduplicatingImageResolver,
  createSourceImageResolver,
} from "../../lib/registry/index.js";
import { readRootFetcherConfiguration } from "./configuration.js";
import { createConfiguredCas } from "./configured-cas.js";
import { observedAcquire } from "./observed-acquire.js";
import { openRootStore } from "./open-root-store.js";
import { prefetchRoots } from "./prefetch-roots.js";
import { RootFetcher } from "./root-fetcher.js";
import { createRootFetcherMetrics } from "./root-fetcher-metrics.js";
import { serveRootFetcher } from "./serve-root-fetcher-socket.js";

await runProgram("berth-root-fetcher", main);

async function main({ argv, signal }: ProgramContext): Promise<undefined> {
  const options = parseServiceArguments(argv, {
    name: "berth-root-fetcher",
    summary:
      "Makes image roots on this machine, for berth-exec to run actions in.",
  });
  if (options === undefined) return;
  const configuration = await readRootFetcherConfiguration(
    options.configuration,
  );
  if (options.checkOnly) return;

  tuneProcess();
  const { level } = configuration.log;
  const log = createLogger({ component: "root-fetcher", level });
  const registry = createMetrics();
  const metrics = createRootFetcherMetrics(registry);
  const kernel = createKernelCalls(configuration.helper);

  // The store's lock first: whoever has it may replace the socket.
  const store = await openRootStore(configuration, { kernel, log, metrics });
  const registries = createConfiguredImageSource(configuration);
  const { source } = registries;
  const resolver = createDeduplicatingImageResolver(
    createSourceImageResolver(source),
  );
  const { platform } = configuration;
  const cas = await createConfiguredCas(configuration);
  const fetcher = new RootFetcher({
    ...{ store, platform, source, resolver },
    readTree: cas?.readTree,
  });
  const acquire = observedAcquire(fetcher, { log, metrics });
  const service = await serveRootFetcher({
    path: configuration.socket,
    mode: configuration.socketMode,
    allowedUids: configuration.allowedUids ?? [0, process.geteuid?.() ?? 0],
    maximumConnections: configuration.maximumConnections,
    idleTimeoutMs: configuration.idleTimeout,
    kernel,
    acquire,
    used: (hex) => fetcher.used(hex),
  });
  let isReady = false;
  const diagnostics =
    configuration.diagnostics === undefined
      ? undefined
      : await serveDiagnostics({
          listen: configuration.diagnostics,
          metrics: registry,
          isReady: () => isReady && !signal.aborted,
        });
  log.info("Serving image roots", {
    socket: configuration.socket,
    roots: store.roots().length,
    diagnostics: diagnostics?.address,
  });
  await prefetchRoots(configuration.prefetch, { acquire, log, signal });
  isReady = true;

  await aborted(signal);
  // Clients first, so that no pull is begun for them any more.
  await service.stop();
  await store.close();
  await registries.close();
  cas?.close();
  await diagnostics?.stop();
}

/** What has to be settled before threads and files are made. */
function tuneProcess(): void {
  // A layer is over before code that V8 optimises early has paid for that: a
  // fifth of the time of a cold root went into compiling.
  setFlagsFromString("--interrupt-budget=1000000");
  // Heaps grow in small steps: a layer's entries come and go at once.
  setFlagsFromString("--optimize-for-size");
  // Modes of what the store makes are stated in full; see contentMode.
  process.umask(0o022);
}
