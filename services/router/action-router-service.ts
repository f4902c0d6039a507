import {
  ActionRouterService,
  type RouteActionRequest,
  RouteActionResponse,
} from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import {
  checkDigestFunction,
  type InstanceName,
  parseInstanceName,
} from "../../lib/digest/index.js";
import {
  type CallContext,
  type ErrorSink,
  encodeMessage,
  type GrpcService,
  implementUnary,
} from "../../lib/grpc/index.js";
import type { Logger } from "../../lib/log/index.js";
import {
  applyMetadataRules,
  type InvocationKeys,
  type MetadataRule,
  type Route,
  type RouteContext,
} from "../../lib/route/index.js";
import {
  Code,
  isInfrastructureError,
  StatusError,
  toStatusError,
} from "../../lib/status/index.js";
import type { IsRepeated } from "./repeated-actions.js";
import type { FindInstance } from "./router-instances.js";
import type { RouteMode, RouterMetrics } from "./router-metrics.js";

/** The service, whose answers one writer encodes. */
const actionRouterDefinition = {
  ...ActionRouterService,
  routeAction: {
    ...ActionRouterService.routeAction,
    responseSerialize: (response: RouteActionResponse) =>
      encodeMessage(RouteActionResponse, response),
  },
};

/** What the service is made of. */
export interface ActionRouterOptions {
  readonly findInstance: FindInstance;
  readonly invocationKeys: InvocationKeys;
  readonly metadataRules: readonly MetadataRule[];
  readonly isRepeated: IsRepeated;
  /** Longest time for one action. */
  readonly routeTimeoutMs: number;
  /** Actions beyond are refused with ResourceExhausted, not queued. */
  readonly maximumConcurrentRoutes: number;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  readonly sink: ErrorSink;
}

/** The service, and when it has nothing to do. */
export interface ActionRouterParts {
  readonly service: GrpcService;
  /**
   * Resolves when no action is under way: CAS calls go on for a while after
   * their caller left, and need the connection.
   */
  whenIdle(): Promise<void>;
}

/**
 * The gRPC face of the router: checks the request, routes, stores the
 * rewritten Command, and forms an answer that the scheduler accepts. The
 * request's metadata is used for the answer's keys, for metadata rules, and to
 * recognise a client's second attempt, which changes nothing of the answer.
 */
export function createActionRouterService(
  options: ActionRouterOptions,
): ActionRouterParts {
  const { metrics, sink } = options;
  const waiters: (() => void)[] = [];
  let inFlight = 0;

  async function routeAction(
    request: RouteActionRequest,
    context: CallContext,
  ): Promise<RouteActionResponse> {
    const start = performance.now();
    const report: RouteReport = { mode: "none", code: Code.Ok };
    metrics.inFlight.set(++inFlight);
    try {
      checkLoad(inFlight, options.maximumConcurrentRoutes);
      const route = await routeAndStore(options, request, context);
      report.mode = modeOf(route);
      return answer(options, request, route);
    } catch (thrown) {
      const { code, message } = toStatusError(thrown);
      report.code = code;
      report.error = message;
      throw thrown;
    } finally {
      metrics.inFlight.set(--inFlight);
      const seconds = (performance.now() - start) / 1000;
      metrics.countRoute(report.mode, report.code, seconds);
      logRoute(options.log, request, { ...report, seconds });
      if (inFlight === 0) for (const resolve of waiters.splice(0)) resolve();
    }
  }

  return {
    service: {
      definition: actionRouterDefinition,
      implementation: {
        routeAction: implementUnary(routeAction, sink, {
          timeoutMs: options.routeTimeoutMs,
        }),
      },
    },
    whenIdle: () =>
      inFlight === 0
        ? Promise.resolve()
        : new Promise((resolve) => waiters.push(resolve)),
  };
}

/** The call as the pipeline sees it. */
class RoutedCall implements RouteContext {
  readonly #call: CallContext;
  readonly instanceName: InstanceName;
  readonly suspectsEviction: boolean;

  constructor(call: CallContext, instanceName: InstanceName, isRetry: boolean) {
    this.#call = call;
    this.instanceName = instanceName;
    this.suspectsEviction = isRetry;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }
}

function checkLoad(inFlight: number, maximum: number): void {
  if (inFlight <= maximum) return;
  throw new StatusError(
    Code.ResourceExhausted,
    `The router has ${maximum} actions under way already`,
  );
}

async function routeAndStore(
  { findInstance, isRepeated }: ActionRouterOptions,
  request: RouteActionRequest,
  call: CallContext,
): Promise<Route> {
  const instanceName = parseInstanceName(request.instanceName);
  checkDigestFunction(request.digestFunction);
  const { pipeline, blobs } = findInstance(instanceName);
  const isRetry = isRepeated(request);
  const route = await pipeline.route(
    request.action,
    new RoutedCall(call, instanceName, isRetry),
  );
  const writes = [route.command, route.inputRoot].flatMap((blob) =>
    blob === undefined ? [] : [blobs.write(blob, instanceName, isRetry)],
  );
  await Promise.all(writes);
  return route;
}

function answer(
  options: ActionRouterOptions,
  { requestMetadata }: RouteActionRequest,
  { action }: Route,
): RouteActionResponse {
  return {
    action: applyMetadataRules(action, requestMetadata, options.metadataRules),
    invocationKeys: options.invocationKeys(requestMetadata),
  };
}

function modeOf({ routed: { place }, inputRoot }: Route): RouteMode {
  switch (place.kind) {
    case "worker":
      return "pass";
    case "sandbox":
      return "sandbox";
    case "image":
      if (inputRoot !== undefined) return "inline";
      return place.image.tree === undefined ? "bind_mount" : "bind_mount_cas";
    case "undecided":
      return "none";
  }
}

/** How one action fared. */
interface RouteReport {
  mode: RouteMode;
  code: Code;
  error?: string;
}

/** One line for what somebody may have to look at; the rest is for debugging. */
function logRoute(
  log: Logger,
  { instanceName, requestMetadata }: RouteActionRequest,
  report: RouteReport & { seconds: number },
): void {
  const fields = {
    instanceName,
    toolInvocationId: requestMetadata?.toolInvocationId,
    targetId: requestMetadata?.targetId,
    ...report,
  };
  if (report.code === Code.Ok) log.debug("Routed action", fields);
  else if (isInfrastructureError(report.code)) {
    log.warn("Failed to route action", fields);
  } else log.info("Refused action", fields);
}
