import { describe, expect, test } from "@jest/globals";
import { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  setupRouteScenario,
  testImageName,
  testRouteSettings,
} from "../../test/fixtures/route-scenario.js";
import {
  buildTestImage,
  buildTestIndex,
} from "../../test/fixtures/test-image.js";
import { createImagePolicy, parseOciDigest } from "../image/index.js";
import { Code } from "../status/index.js";
import type { Route } from "./index.js";

const tag = `${testImageName}:1`;

/** The reference that the helper is told. */
function imageOf({ command }: Route): string | undefined {
  if (command === undefined) return undefined;
  const flags = Command.decode(command.data).arguments;
  return flags.find((flag) => flag.startsWith("--image="))?.slice(8);
}

describe("route() of an image named by a tag", () => {
  test("route() refuses it with the reference to paste", async () => {
    const { store, route, imageReference } = setupRouteScenario();
    const action = await store(
      { arguments: ["a"] },
      { "container-image": `docker://${tag}` },
    );
    await expect(route(action)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Platform property "container-image" must name an image by digest, since tags move: current value is "${tag}", use "docker://${imageReference}"`,
    });
  });

  test("route() says that there is no such tag rather than that tags are refused", async () => {
    const { store, route } = setupRouteScenario();
    const action = await store(
      { arguments: ["a"] },
      { "container-image": `${testImageName}:2` },
    );
    await expect(route(action)).rejects.toMatchObject({
      code: Code.NotFound,
      message: `Failed to resolve image "${testImageName}:2": there is no such image`,
    });
  });

  test("route() refuses it also while the registry is away", async () => {
    const { store, route, source } = setupRouteScenario();
    source.away = true;
    const action = await store(
      { arguments: ["a"] },
      { "container-image": tag },
    );
    await expect(route(action)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Platform property "container-image" must name an image by digest, since tags move: current value is "${tag}" (its digest could not be looked up: Failed to resolve image "${tag}": registry away)`,
    });
  });

  test("route() resolves it, and turns caching off", async () => {
    const { store, route, imageReference } = setupRouteScenario({
      tags: { kind: "resolve" },
    });
    const byTag = await store({ arguments: ["a"] }, { "container-image": tag });
    const byDigest = await store(
      { arguments: ["a"] },
      { "container-image": `${tag}@${imageReference.split("@")[1]}` },
    );
    const [first, second] = [await route(byTag), await route(byDigest)];
    expect(imageOf(first)).toBe(imageReference);
    expect(first.action.doNotCache).toBe(true);
    expect(second.action.doNotCache).toBe(false);
    expect(first.command).toEqual(second.command);
  });

  test("route() takes the digest from the pins", async () => {
    const { image } = setupRouteScenario();
    const digest = parseOciDigest(image.digest, "digest");
    const { store, route, imageReference, source } = setupRouteScenario({
      tags: { kind: "pin", pins: new Map([[tag, digest]]) },
    });
    const action = await store(
      { arguments: ["a"] },
      { "container-image": tag },
    );
    const routed = await route(action);
    expect(imageOf(routed)).toBe(imageReference);
    expect(routed.action.doNotCache).toBe(false);
    expect(source.requests).toEqual([imageReference]);
    const other = await store(
      { arguments: ["a"] },
      { "container-image": `${testImageName}:2` },
    );
    await expect(route(other)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Platform property "container-image" must name an image by digest, or by a tag that the router's pins list: current value is "${testImageName}:2"`,
    });
  });
});

describe("route() of an index", () => {
  function setupIndex() {
    const scenario = setupRouteScenario();
    const arm = buildTestImage({ config: { architecture: "arm64" } });
    const index = buildTestIndex([
      [scenario.image, { os: "linux", architecture: "amd64" }],
      [arm, { os: "linux", architecture: "arm64" }],
    ]);
    for (const added of [arm, index]) scenario.source.add(testImageName, added);
    return { ...scenario, arm, index };
  }

  test.each([
    [{}, "amd64"],
    [{ OSFamily: "Linux", ISA: "x86-64" }, "amd64"],
    [{ ISA: "arm-a64" }, "arm64"],
    [{ Arch: "aarch64" }, "arm64"],
  ])("route() chooses the manifest by %j: %s", async (properties, expected) => {
    const { store, route, image, arm, index } = setupIndex();
    const action = await store(
      { arguments: ["a"] },
      { ...properties, "container-image": `${testImageName}@${index.digest}` },
    );
    const routed = await route(action);
    const { digest } = expected === "amd64" ? image : arm;
    expect(imageOf(routed)).toBe(`${testImageName}@${digest}`);
    expect(
      Object.fromEntries(
        (routed.action.platform?.properties ?? []).map((p) => [
          p.name,
          p.value,
        ]),
      ),
    ).toEqual(properties);
  });

  test("route() says which platforms there are", async () => {
    const { store, route, index } = setupIndex();
    const reference = `${testImageName}@${index.digest}`;
    const action = await store(
      { arguments: ["a"] },
      { ISA: "riscv64", "container-image": reference },
    );
    await expect(route(action)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringMatching(/linux\/amd64.*linux\/arm64/),
    });
  });
});

describe("route() of images and the policy", () => {
  const policy = createImagePolicy([
    { instanceNamePrefix: "", images: ["registry.test/other"] },
  ]);

  test("route() sends nothing anywhere for an image that is not allowed", async () => {
    const { store, route, source, imageReference } = setupRouteScenario({
      checkImage: (reference, instanceName) =>
        policy.check(instanceName, reference),
    });
    for (const asked of [
      imageReference,
      `${testImageName}@${"sha256:"}${"0".repeat(64)}`,
    ]) {
      const action = await store(
        { arguments: ["a"] },
        { "container-image": asked },
      );
      await expect(route(action)).rejects.toMatchObject({
        code: Code.PermissionDenied,
        message: `Image "${asked}" is not allowed for instance name "": allowed are "registry.test/other"`,
      });
    }
    expect(source.requests).toEqual([]);
  });

  test("route() asks the policy again for an image that it knows", async () => {
    let isAllowed = true;
    const { store, route, imageReference } = setupRouteScenario({
      checkImage: (reference, instanceName) => {
        if (!isAllowed) policy.check(instanceName, reference);
      },
    });
    const action = await store(
      { arguments: ["a"] },
      { "container-image": imageReference },
    );
    await route(action);
    isAllowed = false;
    await expect(route(action)).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
  });
});

describe("route() and the image's User", () => {
  test.each([
    ["", undefined],
    ["0", "--user=root"],
    ["root", "--user=root"],
    ["1000", "--user=1000"],
    ["1000:100", "--user=1000:100"],
    ["postgres", "--user=postgres"],
    ["postgres:0", "--user=postgres:0"],
  ])("route() makes a flag of %j where policy says so", async (User, flag) => {
    const scenario = setupRouteScenario({
      helper: { ...testRouteSettings.helper, imageUser: "use" },
    });
    const image = buildTestImage({ config: { config: { User } } });
    scenario.source.add(testImageName, image);
    const action = await scenario.store(
      { arguments: ["a"] },
      { "container-image": `${testImageName}@${image.digest}` },
    );
    const { command } = await scenario.route(action);
    const flags = Command.decode(command?.data ?? Buffer.alloc(0)).arguments;
    expect(flags.find((word) => word.startsWith("--user"))).toBe(flag);
  });

  test("route() refuses what is no user at all", async () => {
    const scenario = setupRouteScenario({
      helper: { ...testRouteSettings.helper, imageUser: "use" },
    });
    const image = buildTestImage({ config: { config: { User: "a:b:c" } } });
    scenario.source.add(testImageName, image);
    const reference = `${testImageName}@${image.digest}`;
    const asked = { "container-image": reference };
    const action = await scenario.store({ arguments: ["a"] }, asked);
    await expect(scenario.route(action)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `User of image "${reference}" must be "user[:group]", each a name or a number: current value is "a:b:c", set platform property "dockerUser"`,
    });
    const own = await scenario.store(
      { arguments: ["a"] },
      { ...asked, dockerUser: "70:70" },
    );
    const { command } = await scenario.route(own);
    expect(
      Command.decode(command?.data ?? Buffer.alloc(0)).arguments,
    ).toContain("--user=70:70");
  });
});
