import { join } from "node:path";
import type { Registry } from "prom-client";
import { parseInstanceName } from "../../lib/digest/index.js";
import { FairQueue } from "../../lib/fair-queue/index.js";
import { readTls } from "../../lib/grpc/index.js";
import { parsePlatform } from "../../lib/image/index.js";
import type { Logger } from "../../lib/log/index.js";
import { serveDiagnostics } from "../../lib/metrics/index.js";
import { distFolder } from "../../lib/program/index.js";
import {
  createCachingImageResolver,
  createConfiguredImageSource,
  createDeduplicatingImageResolver,
  createSourceImageResolver,
} from "../../lib/registry/index.js";
import type { WorkflowConfiguration } from "./configuration.js";
import { createJobWorkflow } from "./create-workflow.js";
import type { EndedAttempt, JobObserver } from "./execution/job-observer.js";
import type { JobWorkflow } from "./execution/job-workflow.js";
import { RemoteEngine } from "./execution/remote-engine.js";
import { createHttpServer } from "./http/create-http-server.js";
import { createJobTraces, type JobTraces } from "./job-traces.js";
import { createJobStore } from "./store/create-job-store.js";
import type { JobStore } from "./store/job-store.js";
import { createWorkflowMetrics } from "./workflow-metrics.js";

/** How long requests under way may take when the service ends. */
const stopGraceMs = 5_000;

/** Jobs that one look at what is too old removes at most. */
const removedAtOnce = 1_000;

/** Of the web page, as it is built. */
const webRoot = join(distFolder, "services/workflow/web");

/** A running workflow service. */
export interface WorkflowService {
  /** "host:port" of page and APIs. */
  readonly address: string;
  readonly diagnosticsAddress: string | undefined;
  /** Jobs of earlier processes that are gone on with. */
  readonly resumedJobs: number;
  /** Takes nothing new and lets go; what the engine runs goes on. */
  stop(): Promise<void>;
}

/** Builds the service of its configuration, and serves. */
export async function startWorkflow(
  configuration: WorkflowConfiguration,
  { metrics, log }: { metrics: Registry; log: Logger },
): Promise<WorkflowService> {
  const closing = new Closing();
  try {
    return await start(configuration, { metrics, log, closing });
  } catch (error) {
    await closing.close();
    throw error;
  }
}

/** What has been opened; it is closed in the opposite order. */
class Closing {
  readonly #closers: (() => unknown)[] = [];

  defer(close: () => unknown): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

async function start(
  configuration: WorkflowConfiguration,
  parts: { metrics: Registry; log: Logger; closing: Closing },
): Promise<WorkflowService> {
  const { metrics, log, closing } = parts;
  const sink = (error: unknown) => log.error("Unexpected error", { error });
  const store = await createJobStore(configuration.store, sink);
  closing.defer(() => store.close());
  const engine = await connectEngine(configuration);
  closing.defer(() => engine[Symbol.dispose]());
  const images = createConfiguredImageSource(configuration);
  closing.defer(() => images.close());
  const traces = await configuredTraces(configuration);
  closing.defer(() => traces?.stop());
  const workflow = buildWorkflow(configuration, {
    ...{ store, engine, metrics, log, sink, traces },
    source: images.source,
  });
  closing.defer(() => workflow.stop());
  const resumedJobs = await workflow.resume();
  closing.defer(removeOldJobs(configuration, store, sink));
  const { http, diagnostics } = configuration;
  const server = await createHttpServer({
    workflow,
    configuration: http,
    metrics,
    log,
    webRoot,
  });
  closing.defer(() => server.stop(stopGraceMs));
  const isReady = () => canStore(store);
  const served =
    diagnostics === undefined
      ? undefined
      : await serveDiagnostics({ listen: diagnostics, metrics, isReady });
  closing.defer(() => served?.stop());
  return {
    address: server.address,
    diagnosticsAddress: served?.address,
    resumedJobs,
    stop: () => closing.close(),
  };
}

async function connectEngine({
  engine,
}: WorkflowConfiguration): Promise<RemoteEngine> {
  return new RemoteEngine({
    address: engine.address,
    casAddress: engine.cas,
    instanceName: parseInstanceName(engine.instanceName),
    tls: await readTls(engine.tls),
  });
}

function configuredTraces({
  traces,
}: WorkflowConfiguration): Promise<JobTraces | undefined> {
  return traces === undefined
    ? Promise.resolve(undefined)
    : createJobTraces(traces.otlp);
}

function buildWorkflow(
  { steps, limits, platform }: WorkflowConfiguration,
  parts: {
    store: JobStore;
    engine: RemoteEngine;
    metrics: Registry;
    log: Logger;
    sink: (error: unknown) => void;
    source: ReturnType<typeof createConfiguredImageSource>["source"];
    traces: JobTraces | undefined;
  },
): JobWorkflow {
  const queue = new FairQueue(limits.stepsInFlight);
  const { store, engine, sink, source, traces } = parts;
  const counted = createWorkflowMetrics(parts.metrics, {
    unfinishedJobs: () => workflow.unfinished,
    waitingSteps: () => queue.length,
    setAsideRecords: () => store.setAsideCount,
  });
  const observer: JobObserver = {
    ...counted,
    attemptEnded: (attempt) => {
      counted.attemptEnded(attempt);
      logBroken(parts.log, attempt);
    },
    jobEnded: (job) => {
      counted.jobEnded(job);
      traces?.jobEnded(job);
    },
  };
  const workflow: JobWorkflow = createJobWorkflow({
    ...{ store, engine, queue, observer, sink },
    // Tags are remembered in the store; here a refresh must ask.
    resolver: createCachingImageResolver(
      createDeduplicatingImageResolver(createSourceImageResolver(source)),
      { tagLifetimeMs: 0 },
    ),
    platform: parsePlatform(platform),
    settings: {
      network: steps.network,
      user: steps.user,
      timeoutMs: steps.timeout,
      platform: Object.entries(steps.properties).map(([name, value]) => ({
        name,
        value,
      })),
    },
    limits: {
      maximumAttempts: steps.maximumAttempts,
      maximumRuns: limits.runs,
      maximumUnfinishedJobs: limits.unfinishedJobs,
    },
    prepareTimeoutMs: limits.prepareTimeout,
    retryDelayMs: steps.retryDelay,
  });
  return workflow;
}

/** What machines do wrong is an operator's matter, though a retry helps. */
function logBroken(log: Logger, { job, step, outcome }: EndedAttempt): void {
  if (outcome.kind !== "broken") return;
  const { code, text } = outcome.reason;
  log.warn("Attempt of a step broke off", {
    jobId: job.id,
    step,
    code,
    reason: text,
  });
}

/** Removes ended jobs when their time is over; gives how to stop that. */
function removeOldJobs(
  { retention }: WorkflowConfiguration,
  store: JobStore,
  sink: (error: unknown) => void,
): () => void {
  const remove = async () => {
    const endedBefore = Date.now() - retention.keep;
    while ((await store.removeEnded(endedBefore, removedAtOnce)) > 0);
  };
  const timer = setInterval(() => remove().catch(sink), retention.interval);
  return () => clearInterval(timer);
}

async function canStore(store: JobStore): Promise<boolean> {
  try {
    await store.check();
    return true;
  } catch {
    return false; // the answer; the store's own errors are told elsewhere
  }
}
