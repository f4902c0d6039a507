// Images that the router brings into CAS, from a registry that counts.
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  test,
} from "@jest/globals";
import {
  Directory,
  type Directory as DirectoryMessage,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { RouteActionResponse } from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import { Digest } from "../../lib/digest/index.js";
import { Code } from "../../lib/status/index.js";
import {
  type EvilRegistry,
  startEvilRegistry,
} from "../../test/fixtures/evil-registry.js";
import {
  tarArchive,
  tarDirectory,
  tarFile,
  tarSymlink,
} from "../../test/fixtures/tar-archive.js";
import {
  buildTestImage,
  pushTestImage,
} from "../../test/fixtures/test-image.js";
import {
  type RouterScenario,
  startRouterScenario,
} from "./testing/router-scenario.js";

const base = buildTestImage({
  layers: [
    tarArchive(tarDirectory("usr/"), tarSymlink("bin", "usr/bin")),
    tarArchive(tarFile("usr/bin/tool", "base", { mode: 0o755 })),
  ],
  config: { config: { Env: ["PATH=/bin", "FROM=base"] } },
});
const tools = buildTestImage({
  layers: [tarArchive(tarFile("usr/bin/cc", "cc", { mode: 0o755 }))],
  config: { config: { Env: ["FROM=tools"], User: "70" } },
});
const clashing = buildTestImage({
  layers: [tarArchive(tarDirectory("bazel_exec_root/"))],
});

let registry: EvilRegistry;
let scenario: RouterScenario;

beforeAll(async () => {
  registry = await startEvilRegistry();
  for (const image of [base, tools, clashing]) {
    await pushTestImage(registry.host, "pub/x", { image });
  }
});
afterEach(() => scenario.stop());
afterAll(() => registry.stop());

const named = (image: { digest: string }) =>
  `${registry.host}/pub/x@${image.digest}`;

async function start(instance: Readonly<Record<string, unknown>>) {
  scenario = await startRouterScenario({ instance });
}

function actionIn(image: string, argument = "tool", workingDirectory = "") {
  const outputPaths = workingDirectory === "" ? ["out"] : ["../out"];
  return scenario.store(
    { arguments: [argument], workingDirectory, outputPaths },
    { "container-image": image },
  );
}

async function inputRootOf(
  answer: RouteActionResponse,
): Promise<DirectoryMessage> {
  const digest = Digest.fromProto(answer.action?.inputRootDigest, "root");
  return Directory.decode(await scenario.inner.read(digest));
}

const namesOf = ({ files, directories, symlinks }: DirectoryMessage) =>
  [...files, ...directories, ...symlinks].map(({ name }) => name).sort();

describe("the router, inline", () => {
  test("the router makes the image the input root, and nests the action's own", async () => {
    await start({ mode: "inline" });
    const action = await actionIn(named(base), "tool", "a/b");
    const answer = await scenario.route({ action });
    const root = await inputRootOf(answer);
    expect(namesOf(root)).toEqual(["bazel_exec_root", "bin", "usr"]);
    const nested = root.directories.find(
      ({ name }) => name === "bazel_exec_root",
    );
    expect(nested?.digest).toEqual(action.inputRootDigest);
    const command = await scenario.readCommand(answer);
    const { workingDirectory, outputPaths } = command;
    expect({ workingDirectory, outputPaths }).toEqual({
      workingDirectory: "bazel_exec_root/a/b",
      outputPaths: ["../out"],
    });
    expect(command.arguments).toEqual([
      "/berth/berth-exec",
      "--inline=bazel_exec_root",
      expect.stringMatching(/^--image=cas:\/\/[0-9a-f]{64}\/\d+$/),
      "--working-directory=a/b",
      "--network=host",
      "--",
      "tool",
    ]);
    expect(command.environmentVariables).toMatchObject([
      { name: "FROM", value: "base" },
      { name: "PATH", value: "/bin" },
    ]);
  });

  test("the router imports the image of 500 actions at once", async () => {
    await start({ mode: "inline" });
    const before = (await registry.pulls()).length;
    const actions = await Promise.all(
      Array.from({ length: 500 }, (_, at) => actionIn(named(base), `${at}`)),
    );
    await Promise.all(actions.map((action) => scenario.route({ action })));
    // The manifest, its config, and two layers.
    expect((await registry.pulls()).length - before).toBe(4);
  });

  test("the router refuses an image that holds the place of the inputs", async () => {
    await start({ mode: "inline" });
    const action = await actionIn(named(clashing));
    await expect(scenario.route({ action })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Image must not hold "/bazel_exec_root", which is where the action's inputs go: current value is "${named(clashing)}"`,
    });
  });

  test("the router repairs an image when a client tries again", async () => {
    await start({ mode: "inline" });
    const action = await actionIn(named(base));
    const requestMetadata = {
      toolDetails: undefined,
      actionId: "",
      toolInvocationId: "invocation",
      correlatedInvocationsId: "",
      actionMnemonic: "",
      targetId: "",
      configurationId: "",
    };
    const first = await scenario.route({ action, requestMetadata });
    const lost = Digest.of(Buffer.from("base"));
    scenario.faults.set(lost.key, { type: "lost" });
    // Another action tells nothing of it.
    const other = await actionIn(named(base), "other");
    await scenario.route({ action: other, requestMetadata });
    expect(scenario.faults.size).toBe(1);
    const second = await scenario.route({ action, requestMetadata });
    expect(second).toEqual(first);
    expect(scenario.faults.size).toBe(0);
    expect(await scenario.metrics.metrics()).toContain(
      '\nberth_router_cas_images_total{event="repaired"} 1\n',
    );
  });

  test("the router lays images over each other", async () => {
    await start({ mode: "inline", imageUser: "use" });
    const text = `docker://${named(base)} + ${named(tools)}`;
    const answer = await scenario.route({ action: await actionIn(text) });
    expect(namesOf(await inputRootOf(answer))).toEqual([
      ...["bazel_exec_root", "bin", "usr"],
    ]);
    const command = await scenario.readCommand(answer);
    expect(command.arguments).toContain("--user=70");
    expect(command.environmentVariables).toMatchObject([
      { name: "FROM", value: "tools" },
      { name: "PATH", value: "/bin" },
    ]);
  });

  test("the router takes a tree in CAS only where it may be named", async () => {
    await start({ mode: "inline", casTrees: true });
    const bottom = await scenario.route({
      action: await actionIn(named(base)),
    });
    const [, , flag = ""] = (await scenario.readCommand(bottom)).arguments;
    const tree = flag.replace("--image=", "");
    const answer = await scenario.route({ action: await actionIn(tree) });
    expect(answer.action?.inputRootDigest).toEqual(
      bottom.action?.inputRootDigest,
    );
    const absent = `cas://${"0".repeat(64)}/20`;
    await expect(
      scenario.route({ action: await actionIn(absent) }),
    ).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: `Tree "${absent}" lacks 1 of its blobs in CAS: upload it again`,
    });
    await scenario.stop();
    await start({ mode: "inline" });
    await expect(
      scenario.route({ action: await actionIn(tree) }),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("CAS trees are not allowed here"),
    });
  });
});

describe("the router with source cas", () => {
  test("the router names the tree to the worker, and leaves the input root", async () => {
    await start({ source: "cas" });
    const action = await actionIn(named(base), "tool", "a");
    const answer = await scenario.route({ action });
    expect(answer.action?.inputRootDigest).toEqual(action.inputRootDigest);
    const command = await scenario.readCommand(answer);
    expect(command.workingDirectory).toBe("a");
    expect(command.arguments[1]).toMatch(/^--image=cas:\/\/[0-9a-f]{64}\/\d+$/);
  });
});

describe("the router with source registry", () => {
  test("the router refuses images over each other", async () => {
    await start({});
    const text = `${named(base)}+${named(tools)}`;
    await expect(
      scenario.route({ action: await actionIn(text) }),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Instance name "" takes one image from a registry, since its workers have no image from CAS (mode inline, or source cas): current value is "${named(base)} + ${named(tools)}"`,
    });
  });
});
