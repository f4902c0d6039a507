import {
  Action,
  Command,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  ActionRouterClient,
  RouteActionRequest,
  type RouteActionResponse,
} from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import {
  type Fault,
  FaultyContentAddressableStorage,
  InMemoryContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { createCasServices } from "../../../lib/cas-service/index.js";
import { parseConfiguration } from "../../../lib/configuration/index.js";
import { Digest } from "../../../lib/digest/index.js";
import {
  callUnary,
  channelCredentials,
  channelOptions,
  serveGrpc,
} from "../../../lib/grpc/index.js";
import { silentLogger } from "../../../lib/log/index.js";
import { createMetrics } from "../../../lib/metrics/index.js";
import { routerConfigurationSchema } from "../configuration.js";
import { startRouter } from "../router.js";

/** A router in front of a CAS of its own, both on the wire. */
export type RouterScenario = Awaited<ReturnType<typeof startRouterScenario>>;

/**
 * Starts them. `configuration` holds the file's top level, `instance` the
 * fields of its one instance; what they leave out suits a test.
 */
export async function startRouterScenario(
  options: {
    instance?: Readonly<Record<string, unknown>>;
    configuration?: Readonly<Record<string, unknown>>;
  } = {},
) {
  const inner = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 64 * 2 ** 20,
  });
  /** By a digest's key. */
  const faults = new Map<string, Fault>();
  const cas = new FaultyContentAddressableStorage(inner, faults);
  const unexpected: unknown[] = [];
  const casServer = await serveGrpc({
    listen: "127.0.0.1:0",
    services: createCasServices({ cas, sink: (e) => unexpected.push(e) }),
    sink: (error) => unexpected.push(error),
  });
  const metrics = createMetrics();
  const router = await startRouter(
    parseConfiguration(
      JSON.stringify({
        listen: "127.0.0.1:0",
        diagnostics: "127.0.0.1:0",
        limits: { drainTimeout: "1s" },
        instances: [
          {
            prefix: "",
            cas: { address: casServer.address },
            helper: ["/berth/berth-exec"],
            images: "any",
            ...options.instance,
          },
        ],
        ...options.configuration,
      }),
      "test.yaml",
      routerConfigurationSchema,
    ),
    { metrics, log: silentLogger },
  );
  const client = new ActionRouterClient(
    router.address,
    channelCredentials(),
    channelOptions({}),
  );
  return {
    faults,
    inner,
    casServer,
    router,
    metrics,
    unexpected,
    route: (
      request: Partial<RouteActionRequest>,
      settings: { signal?: AbortSignal; deadline?: Date } = {},
    ): Promise<RouteActionResponse> =>
      callUnary(
        client.routeAction.bind(client),
        { ...emptyRequest, ...request },
        settings,
      ),
    /** Stores a Command as a client would; gives an Action with it. */
    store: async (
      command: Partial<Command>,
      properties: Readonly<Record<string, string>> = {},
    ): Promise<Action> => {
      const data = Command.encode({ ...emptyCommand, ...command }).finish();
      return actionOf(await inner.write(data), properties);
    },
    /** The Command of an answer, read from CAS as a worker does. */
    readCommand: async ({ action }: RouteActionResponse): Promise<Command> => {
      const digest = Digest.fromProto(action?.commandDigest, "command_digest");
      return Command.decode(await inner.read(digest));
    },
    stop: async () => {
      client.close();
      await router.stop();
      await casServer.stop(0);
    },
  };
}

const emptyRequest = RouteActionRequest.fromPartial({});
const emptyCommand = Command.fromPartial({});

function actionOf(
  command: Digest,
  properties: Readonly<Record<string, string>>,
): Action {
  return Action.fromPartial({
    commandDigest: command.toProto(),
    inputRootDigest: Digest.of(Buffer.from("input root")).toProto(),
    platform: {
      properties: Object.entries(properties)
        .sort()
        .map(([name, value]) => ({ name, value })),
    },
  });
}
