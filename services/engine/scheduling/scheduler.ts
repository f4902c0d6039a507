import { randomUUID } from "node:crypto";
import { LRUCache } from "lru-cache";
import {
  type Action,
  ExecuteResponse,
  type RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { ActionCache } from "../../../lib/action-cache/index.js";
import type { CasContext } from "../../../lib/cas/index.js";
import type { Digest, InstanceName } from "../../../lib/digest/index.js";
import type { FairQueue } from "../../../lib/fair-queue/index.js";
import { statusToProto } from "../../../lib/grpc/index.js";
import {
  Code,
  StatusError,
  toStatusError,
  wrap,
} from "../../../lib/status/index.js";
import type { CasReader } from "../cas-reader.js";
import type { Executed, Execution } from "../runner/action-executor.js";
import type { ActionRouting, RoutedAction } from "./action-routing.js";
import type { EngineMetrics } from "./engine-metrics.js";
import { Operation, type OperationTimes } from "./operation.js";
import { checkPlatform, type WorkerPlatform } from "./worker-platform.js";

/**
 * Memory for operations that have ended, in bytes: some 50,000 with the usual
 * results, so that those of a busy minute do not push each other out.
 */
const rememberedBytes = 128 * 2 ** 20;

/** How long, in milliseconds: clients that lost their stream come again. */
const rememberMs = 5 * 60_000;

/** What the scheduler needs. */
export interface SchedulerOptions {
  readonly reader: CasReader;
  readonly actionCache: ActionCache;
  readonly routing: ActionRouting;
  readonly platform: WorkerPlatform;
  readonly queue: FairQueue;
  /** Of the operations of an instance name. */
  times(instanceName: InstanceName): OperationTimes;
  readonly metrics: EngineMetrics;
  /** Executes an action in its slot. */
  execute(execution: Execution): Promise<Executed>;
  /** Takes errors that are not the client's alone. */
  readonly sink: (error: unknown) => void;
}

/** What a client asks for. */
export interface ScheduleRequest {
  readonly instanceName: InstanceName;
  readonly actionDigest: Digest;
  readonly skipCacheLookup: boolean;
  readonly requestMetadata: RequestMetadata | undefined;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/**
 * Turns requests to execute into operations: looks into the action cache,
 * asks the router, joins an equal action that is under way, queues.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #operations = new Map<string, Operation>();
  readonly #ended = new LRUCache<string, Operation>({
    maxSize: rememberedBytes,
    sizeCalculation: (operation) => operation.sizeBytes,
    ttl: rememberMs,
  });
  /** Live operations that equal actions may join. */
  readonly #joinable = new Map<string, Operation>();

  readonly #running = new Set<Promise<void>>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** The operation of a name; undefined if there is none (any more). */
  find(name: string): Operation | undefined {
    return this.#operations.get(name) ?? this.#ended.get(name);
  }

  /** Cancels everything; for the end of the process. */
  cancelAll(): void {
    for (const operation of this.#operations.values()) operation.cancel();
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Throws what is wrong with the request; all else ends the operation. */
  async schedule(request: ScheduleRequest): Promise<Operation> {
    const { instanceName, actionDigest, signal } = request;
    const { reader, routing, platform } = this.#options;
    const context: CasContext = { instanceName, signal };
    const action = await reader.action(actionDigest, context);
    const cached = await this.#cached(request, action, context);
    if (cached !== undefined) return cached;
    const { requestMetadata } = request;
    const routed = await routing.route({
      instanceName,
      action,
      requestMetadata,
      signal,
    });
    checkPlatform(routed.action.platform, platform);
    // Both keys are of the original action: what the router makes of it is a
    // function of it.
    const key = `${instanceName} ${actionDigest.key}`;
    const mayJoin = !action.doNotCache && !routed.action.doNotCache;
    const joined = mayJoin ? this.#joinable.get(key) : undefined;
    if (joined?.isLive) return joined;
    const operation = this.#create(request);
    if (mayJoin) this.#joinable.set(key, operation);
    const run = this.#run(operation, { request, routed, mayCache: mayJoin });
    const end = run.finally(() => {
      if (this.#joinable.get(key) === operation) this.#joinable.delete(key);
      this.#operations.delete(operation.name);
      this.#ended.set(operation.name, operation);
      this.#running.delete(end);
    });
    this.#running.add(end);
    return operation;
  }

  async #cached(
    request: ScheduleRequest,
    action: Action,
    context: CasContext,
  ): Promise<Operation | undefined> {
    if (request.skipCacheLookup || action.doNotCache) return undefined;
    const { actionCache, metrics } = this.#options;
    const result = await actionCache.get(request.actionDigest, context);
    if (result === undefined) return undefined;
    metrics.actions.inc({ result: "cached" });
    const operation = this.#create(request);
    this.#operations.delete(operation.name);
    operation.complete(
      ExecuteResponse.fromPartial({ result, cachedResult: true }),
    );
    return operation;
  }

  #create(request: ScheduleRequest): Operation {
    const times = this.#options.times(request.instanceName);
    const operation = new Operation(randomUUID(), request, times);
    this.#operations.set(operation.name, operation);
    return operation;
  }

  async #run(
    operation: Operation,
    work: {
      request: ScheduleRequest;
      routed: RoutedAction;
      mayCache: boolean;
    },
  ): Promise<void> {
    const { metrics, sink } = this.#options;
    try {
      const executed = await this.#execute(operation, work);
      const { result, error } = executed;
      if (work.mayCache && result.exitCode === 0 && error === undefined) {
        await this.#store(work.request, executed);
      }
      metrics.actions.inc({ result: resultLabel(executed) });
      const status = error === undefined ? undefined : statusToProto(error);
      operation.complete(ExecuteResponse.fromPartial({ result, status }));
    } catch (thrown) {
      const error = outgoing(thrown, sink);
      metrics.actions.inc({
        result: error.code === Code.Cancelled ? "cancelled" : "not_executed",
      });
      const status = statusToProto(error);
      operation.complete(ExecuteResponse.fromPartial({ status }));
    }
  }

  #execute(
    operation: Operation,
    work: { request: ScheduleRequest; routed: RoutedAction },
  ): Promise<Executed> {
    const { queue, metrics, execute } = this.#options;
    const { signal } = operation;
    const queuedMs = Date.now();
    const [key = ""] = work.routed.invocationKeys;
    return queue.run(
      key,
      async (slot) => {
        operation.setExecuting();
        const queuedSeconds = Math.floor(queuedMs / 1_000);
        const nanos = (queuedMs % 1_000) * 1e6;
        const end = metrics.executionSeconds.startTimer();
        try {
          return await execute({
            routed: work.routed,
            instanceName: work.request.instanceName,
            slot,
            queuedTimestamp: { seconds: queuedSeconds, nanos },
            logs: operation.logs,
            signal,
          });
        } finally {
          end();
        }
      },
      signal,
    );
  }

  /** A result that cannot be kept is given to the client all the same. */
  async #store(request: ScheduleRequest, { result }: Executed): Promise<void> {
    const { instanceName, actionDigest } = request;
    const { actionCache, sink } = this.#options;
    await actionCache
      .put(actionDigest, result, { instanceName })
      .catch((error: unknown) => {
        sink(wrap(error, `Failed to keep result of action "${actionDigest}"`));
      });
  }
}

function resultLabel({ result, error }: Executed): string {
  if (error?.code === Code.Cancelled) return "cancelled";
  const failed = error !== undefined || result.exitCode !== 0;
  return failed ? "failed" : "succeeded";
}

/** What a client is told: unexpected errors stay inside, and are logged. */
function outgoing(
  thrown: unknown,
  sink: (error: unknown) => void,
): StatusError {
  if (thrown instanceof StatusError) return thrown;
  const error = toStatusError(thrown);
  if (error.code === Code.Cancelled) return error;
  sink(thrown);
  return new StatusError(
    error.code,
    "Failed to execute action: internal error",
  );
}
