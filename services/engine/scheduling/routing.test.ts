import { setTimeout as sleep } from "node:timers/promises";
import { Metadata } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "@jest/globals";
import {
  Action,
  Command,
  ExecuteRequest,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  ActionRouterService,
  type RouteActionRequest,
  RouteActionResponse,
} from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import { parseInstanceName } from "../../../lib/digest/index.js";
import {
  callServerStream,
  type GrpcServer,
  implementUnary,
  serveGrpc,
} from "../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { EngineScenario, shell } from "../testing/engine-scenario.js";

const context = { instanceName: parseInstanceName("") };
const invocationKeys = [{ typeUrl: "type.test/key", value: Buffer.from("k") }];
let scenario: EngineScenario;
let router: GrpcServer;

afterEach(async () => {
  await scenario.stop();
  await router.stop(0);
  expect(scenario.unexpected).toEqual([]);
});

/** An engine behind a router that answers as the test says. */
async function setupRouted(
  route: (request: RouteActionRequest) => Promise<Partial<RouteActionResponse>>,
): Promise<RouteActionRequest[]> {
  const requests: RouteActionRequest[] = [];
  router = await serveRouter("127.0.0.1:0", (request) => {
    requests.push(request);
    return route(request);
  });
  scenario = await EngineScenario.start({
    router: { address: router.address },
    platform: { OSFamily: "linux", ISA: ["x86-64", "x86-64-v2"] },
  });
  return requests;
}

function serveRouter(
  listen: string,
  route: (request: RouteActionRequest) => Promise<Partial<RouteActionResponse>>,
): Promise<GrpcServer> {
  const sink = () => {};
  return serveGrpc({
    listen,
    sink,
    services: [
      {
        definition: ActionRouterService,
        implementation: {
          routeAction: implementUnary(
            async (request: RouteActionRequest) =>
              RouteActionResponse.fromPartial(await route(request)),
            sink,
          ),
        },
      },
    ],
  });
}

function withPlatform(
  action: Action | undefined,
  ...properties: [string, string][]
): Partial<Action> {
  const list = properties.map(([name, value]) => ({ name, value }));
  return { ...action, platform: { properties: list } };
}

describe("an engine with a router", () => {
  test("Execute runs what the router answered, and caches it under the client's action", async () => {
    const requests = await setupRouted(async ({ action }) => {
      const rewritten = Command.encode(
        Command.fromPartial(shell("echo routed")),
      ).finish();
      const commandDigest = await scenario.cas.write(rewritten, context);
      const routed = withPlatform(action, ["OSFamily", "linux"]);
      return {
        action: Action.fromPartial({
          ...routed,
          commandDigest: commandDigest.toProto(),
        }),
        invocationKeys,
      };
    });
    const spec = {
      command: shell("echo original"),
      action: {
        platform: {
          properties: [{ name: "container-image", value: "docker://x" }],
        },
      },
    };
    const first = await scenario.run(spec);
    expect(await scenario.text(first, "stdout")).toBe("routed\n");
    const second = await scenario.run(spec);
    expect(second.response.cachedResult).toBe(true);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({
      instanceName: "",
      digestFunction: 1,
      action: spec.action,
    });
  });

  test("Execute tells the router what the client builds", async () => {
    const requests = await setupRouted(async ({ action }) => ({
      action: Action.fromPartial(withPlatform(action)),
      invocationKeys,
    }));
    const digest = await scenario.upload({ command: shell("true") });
    const metadata = new Metadata();
    const sent = RequestMetadata.fromPartial({
      toolInvocationId: "some id",
      targetId: "//some:target",
    });
    metadata.set(
      "build.bazel.remote.execution.v2.requestmetadata-bin",
      Buffer.from(RequestMetadata.encode(sent).finish()),
    );
    for await (const _ of callServerStream(
      scenario.execution.execute.bind(scenario.execution),
      ExecuteRequest.fromPartial({ actionDigest: digest.toProto() }),
      { metadata },
    ));
    expect(requests[0]?.requestMetadata).toMatchObject({
      toolInvocationId: "some id",
      targetId: "//some:target",
    });
  });

  test("Execute does not cache what the router forbids to cache", async () => {
    await setupRouted(async ({ action }) => ({
      action: Action.fromPartial({
        ...withPlatform(action),
        doNotCache: true,
      }),
      invocationKeys,
    }));
    const spec = { command: shell("true") };
    await scenario.run(spec);
    expect((await scenario.run(spec)).response.cachedResult).toBe(false);
  });

  test("Execute gives the router's errors to the client, code and text", async () => {
    await setupRouted(async () => {
      throw new StatusError(Code.PermissionDenied, 'Image "x" is not allowed');
    });
    await expect(
      scenario.run({ command: shell("true") }),
    ).rejects.toMatchObject({
      code: Code.PermissionDenied,
      message: 'Image "x" is not allowed',
    });
  });

  test("Execute waits for a router that starts again, also in the middle of an answer", async () => {
    const answer = async ({ action }: RouteActionRequest) => ({
      action: Action.fromPartial(withPlatform(action)),
      invocationKeys,
    });
    const requests = await setupRouted(() => new Promise(() => {}));
    const inTheMiddle = scenario.run({ command: shell("echo 1") });
    while (requests.length === 0) await sleep(5);
    await router.stop(0);
    const afterwards = scenario.run({ command: shell("echo 2") });
    await sleep(300);
    router = await serveRouter(router.address, answer);
    expect(await scenario.text(await inTheMiddle, "stdout")).toBe("1\n");
    expect(await scenario.text(await afterwards, "stdout")).toBe("2\n");
  });

  test("Execute says Unavailable when the router stays away", async () => {
    await setupRouted(() => Promise.reject(new Error("is never asked")));
    await router.stop(0);
    const start = performance.now();
    await expect(
      scenario.run({ command: shell("true") }),
    ).rejects.toMatchObject({ code: Code.Unavailable });
    expect(performance.now() - start).toBeGreaterThan(9_000);
  }, 30_000);

  test.each<
    [string, (action: Action | undefined) => Partial<RouteActionResponse>]
  >([
    ["holds no action", () => ({ invocationKeys })],
    [
      "holds no platform",
      (action) => ({
        action: Action.fromPartial({ ...action, platform: undefined }),
        invocationKeys,
      }),
    ],
    [
      "has platform properties that are not sorted and unique",
      (action) => ({
        action: Action.fromPartial(
          withPlatform(action, ["b", "1"], ["a", "1"]),
        ),
        invocationKeys,
      }),
    ],
    [
      "has platform properties that are not sorted and unique",
      (action) => ({
        action: Action.fromPartial(
          withPlatform(action, ["a", "1"], ["a", "1"]),
        ),
        invocationKeys,
      }),
    ],
    [
      "holds no invocation key",
      (action) => ({ action: Action.fromPartial(withPlatform(action)) }),
    ],
  ])("Execute says Internal for an answer that %s", async (what, answer) => {
    await setupRouted(async ({ action }) => answer(action));
    await expect(
      scenario.run({ command: shell("true") }),
    ).rejects.toMatchObject({
      code: Code.Internal,
      message: `The action router's answer ${what}`,
    });
  });

  test("Execute says at once which property no worker has", async () => {
    await setupRouted(async ({ action }) => ({
      action: Action.fromPartial(
        withPlatform(action, ["ISA", "x86-64"], ["Pool", "big"]),
      ),
      invocationKeys,
    }));
    await expect(
      scenario.run({ command: shell("true") }),
    ).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message:
        'No worker has platform property "Pool" with value "big": the worker has OSFamily=linux, ISA=x86-64, ISA=x86-64-v2',
    });
  });

  test("Execute never starts the helper with our rights for a client's own command", async () => {
    await setupRouted(async ({ action }) => ({
      action: Action.fromPartial(withPlatform(action)),
      invocationKeys,
    }));
    await scenario.stop();
    scenario = await EngineScenario.start({
      router: { address: router.address },
      helper: "/usr/bin/id",
    });
    const seen = await scenario.run({
      command: { arguments: ["/usr/bin/id", "-u"] },
    });
    expect(await scenario.text(seen, "stdout")).not.toBe("0\n");
    expect(seen.response.result?.exitCode).toBe(0);
  });
});
