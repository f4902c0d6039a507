import { connectivityState } from "@grpc/grpc-js";
import {
  type Action,
  DigestFunction_Value,
  type Platform,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type {
  ActionRouterClient,
  RouteActionResponse,
} from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import type { Any } from "#proto/google/protobuf/any.js";
import { Digest } from "../../../lib/digest/index.js";
import { callUnary } from "../../../lib/grpc/index.js";
import { compareNames } from "../../../lib/merkle-tree/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type {
  ActionRouting,
  RoutedAction,
  RoutingRequest,
} from "./action-routing.js";

/** How long a router that does not answer is awaited, in milliseconds. */
const routerAwaitedMs = 10_000;

/**
 * Routing by a router on the wire, over the protocol of Buildbarn's
 * scheduler. Its errors reach the client with code and text; an answer that
 * breaks the protocol is Internal, as Buildbarn has it. A router that is not
 * there, or goes away before it answers, may be starting again: it is awaited
 * for ten seconds and asked once more, which RouteAction bears, as it changes
 * nothing.
 */
export function createGrpcActionRouting(
  client: ActionRouterClient,
): ActionRouting {
  const method = client.routeAction.bind(client);

  function ask(request: RoutingRequest): Promise<RouteActionResponse> {
    const { action, instanceName, requestMetadata, signal } = request;
    return callUnary(
      method,
      {
        instanceName,
        digestFunction: DigestFunction_Value.SHA256,
        action,
        requestMetadata,
      },
      { signal },
    );
  }

  return {
    route: async (request) => {
      const answer = await ask(request).catch(async (error) => {
        if (isConnected(client)) throw error; // the router's own answer
        await untilConnected(client, request.signal);
        return await ask(request);
      });
      return checkAnswer(answer, request);
    },
  };
}

function isConnected(client: ActionRouterClient): boolean {
  const state = client.getChannel().getConnectivityState(false);
  return state === connectivityState.READY;
}

/** Waits until the router is there, the time is over, or nobody waits. */
function untilConnected(
  client: ActionRouterClient,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
    client.waitForReady(Date.now() + routerAwaitedMs, done);
  });
}

function checkAnswer(
  answer: RouteActionResponse,
  request: RoutingRequest,
): RoutedAction {
  const { action, invocationKeys } = answer;
  if (action === undefined) throw broken("holds no action");
  if (action.platform === undefined) throw broken("holds no platform");
  checkPlatformOrder(action.platform);
  if (invocationKeys.length === 0) throw broken("holds no invocation key");
  const { commandDigest } = action;
  if (commandDigest === undefined) throw broken("holds no command digest");
  const routed = Digest.fromProto(commandDigest, "command_digest");
  const original = request.action.commandDigest;
  return {
    action,
    commandDigest: routed,
    invocationKeys: invocationKeys.map(keyOf),
    isRewritten: routed.hash !== original?.hash,
    nestedInputRoot: nestedInputRoot(action, request.action),
  };
}

function nestedInputRoot(routed: Action, original: Action): Digest | undefined {
  const { inputRootDigest } = original;
  if (routed.inputRootDigest?.hash === inputRootDigest?.hash) return undefined;
  return Digest.fromProto(inputRootDigest, "input_root_digest");
}

function keyOf({ typeUrl, value }: Any): string {
  return `${typeUrl} ${Buffer.from(value).toString("base64")}`;
}

function checkPlatformOrder({ properties }: Platform): void {
  for (const [index, property] of properties.entries()) {
    const next = properties[index + 1];
    if (next === undefined) return;
    const order =
      compareNames(property.name, next.name) ||
      compareNames(property.value, next.value);
    if (order >= 0) {
      throw broken("has platform properties that are not sorted and unique");
    }
  }
}

function broken(what: string): StatusError {
  return new StatusError(Code.Internal, `The action router's answer ${what}`);
}
