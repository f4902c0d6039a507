// Replays what a real scheduler sent while a real Bazel built in images.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  Command,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  RouteActionRequest,
  RouteActionResponse,
} from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import { Digest } from "../../lib/digest/index.js";
import type { ChildServer } from "../../test/fixtures/child-server.js";
import { startDockerRegistry } from "../../test/fixtures/docker-registry.js";
import {
  buildTestImage,
  pushTestImage,
} from "../../test/fixtures/test-image.js";
import {
  type RouterScenario,
  startRouterScenario,
} from "./testing/router-scenario.js";

/** The registry and the image of the recording; others stand in for them. */
const recordedRegistry = "127.0.0.1:15000";
const recordedDigest =
  "sha256:fae2335cf70943e47874f910ea92705c5799885b10dfdee96726095804e19af4";
const image = buildTestImage({
  config: { config: { Env: ["PATH=/usr/bin", "CC=/usr/bin/gcc"] } },
});

/** Commands as Bazel 4.2.3 makes them: REAPI 2.0, platform said twice. */
const commands: Record<string, Partial<Command>> = {
  Genrule: {
    arguments: ["/bin/bash", "-c", "cat /etc/os-release > who.txt"],
    environmentVariables: [{ name: "PATH", value: "/bin" }],
    outputFiles: ["bazel-out/k8-fastbuild/bin/who.txt"],
  },
  TestRunner: {
    arguments: ["external/bazel_tools/tools/test/test-setup.sh", "./t"],
    environmentVariables: [
      {
        name: "TEST_INFRASTRUCTURE_FAILURE_FILE",
        value: "bazel-out/t/test.infrastructure_failure",
      },
    ],
    outputDirectories: ["bazel-out/t/test.outputs"],
    outputFiles: ["bazel-out/t/test.xml", "bazel-out/t/test.log"],
  },
  CppCompile: {
    arguments: ["gcc", "-c", "hello.cc", "-o", "bazel-out/hello.o"],
    outputFiles: ["bazel-out/hello.o", "bazel-out/hello.d"],
  },
  CppLink: {
    arguments: ["gcc", "-o", "bazel-out/hello"],
    outputFiles: ["bazel-out/hello"],
  },
};

function capture(number: number): RouteActionRequest {
  const path = join("services/router/testdata", `route-000${number}.binpb`);
  return RouteActionRequest.decode(readFileSync(path));
}

function keysOf(metadata: RequestMetadata | undefined) {
  const typeUrl =
    "type.googleapis.com/build.bazel.remote.execution.v2.RequestMetadata";
  const { correlatedInvocationsId = "", toolInvocationId = "" } =
    metadata ?? {};
  return [{ correlatedInvocationsId }, { toolInvocationId }].map((fields) => ({
    typeUrl,
    value: Buffer.from(
      RequestMetadata.encode(RequestMetadata.fromPartial(fields)).finish(),
    ),
  }));
}

describe("the router replaying captures", () => {
  let registry: ChildServer;
  let scenario: RouterScenario;
  beforeAll(async () => {
    registry = await startDockerRegistry();
    await pushTestImage(registry.host, "tool", { image, tag: "1" });
    scenario = await startRouterScenario({
      instance: {
        tags: { policy: "resolve" },
        infrastructureFailureFile: true,
      },
    });
  });
  afterAll(async () => {
    await scenario.stop();
    await registry.stop();
  });

  /** The capture, with a Command and an image that exist here. */
  async function prepared(number: number): Promise<RouteActionRequest> {
    const request = capture(number);
    const { action, requestMetadata } = request;
    if (action === undefined) throw new Error("Captures have actions");
    const command = commands[requestMetadata?.actionMnemonic ?? ""] ?? {};
    const { platform } = action;
    const stored = await scenario.store({ ...command, platform });
    const properties = (platform?.properties ?? []).map((property) => ({
      ...property,
      value: property.value
        .replace(recordedRegistry, registry.host)
        .replace(recordedDigest, image.digest),
    }));
    return {
      ...request,
      action: {
        ...action,
        commandDigest: stored.commandDigest,
        platform: { properties },
      },
    };
  }

  test("the router passes an action without an image on as it is", async () => {
    const request = capture(1);
    const answer = await scenario.route(request);
    expect(encoded(answer)).toEqual(
      encoded({
        action: request.action,
        invocationKeys: keysOf(request.requestMetadata),
      }),
    );
  });

  test.each([
    [0, false, "Genrule"],
    [2, true, "TestRunner"],
    [3, true, "CppCompile"],
    [4, true, "TestRunner"],
    [5, true, "CppLink"],
  ])("the router rewrites capture %i", async (number, isTag, mnemonic) => {
    const request = await prepared(number);
    const given = commands[mnemonic] ?? {};
    expect(request.requestMetadata?.actionMnemonic).toBe(mnemonic);
    const platform = { properties: [{ name: "OSFamily", value: "linux" }] };
    const command: Command = {
      arguments: [
        "/berth/berth-exec",
        `--image=${registry.host}/tool@${image.digest}`,
        ...(given.outputDirectories ?? []).map(
          (path) => `--make-directory=${path}`,
        ),
        "--network=host",
        ...(mnemonic === "TestRunner"
          ? [
              "--infrastructure-failure-file=bazel-out/t/test.infrastructure_failure",
            ]
          : []),
        "--",
        ...(given.arguments ?? []),
      ],
      environmentVariables: Object.entries({
        CC: "/usr/bin/gcc",
        PATH: "/usr/bin",
        ...Object.fromEntries(
          (given.environmentVariables ?? []).map((v) => [v.name, v.value]),
        ),
      }).map(([name, value]) => ({ name, value })),
      outputFiles: [],
      outputDirectories: [],
      outputPaths: [
        ...(given.outputFiles ?? []),
        ...(given.outputDirectories ?? []),
      ].sort(),
      platform,
      workingDirectory: "",
      outputNodeProperties: [],
      outputDirectoryFormat: 0,
    };
    const data = Command.encode(command).finish();

    const answer = await scenario.route(request);

    expect(Command.encode(await scenario.readCommand(answer)).finish()).toEqual(
      data,
    );
    expect(request.action).toBeDefined();
    expect(encoded(answer)).toEqual(
      encoded({
        action: request.action && {
          ...request.action,
          commandDigest: Digest.of(data).toProto(),
          doNotCache: isTag,
          platform,
        },
        invocationKeys: keysOf(request.requestMetadata),
      }),
    );
  });
});

/** The bytes on the wire: what counts, unknown fields included. */
function encoded(answer: RouteActionResponse): Buffer {
  return Buffer.from(RouteActionResponse.encode(answer).finish());
}
