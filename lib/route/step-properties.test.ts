import { describe, expect, test } from "@jest/globals";
import {
  Action,
  Command,
  Platform,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { setupRouteScenario } from "../../test/fixtures/route-scenario.js";
import { Code } from "../status/index.js";
import type { RouteSettings } from "./index.js";

type Property = readonly [name: string, value: string];

async function routeWith(
  properties: readonly Property[],
  options: {
    settings?: Partial<RouteSettings>;
    command?: Partial<Command>;
    isWithoutImage?: boolean;
  } = {},
) {
  const { store, route, imageReference } = setupRouteScenario({
    secrets: ["db-*", "token"],
    ...options.settings,
  });
  const stored = await store({ arguments: ["a"], ...options.command });
  const image: Property[] =
    options.isWithoutImage === true
      ? []
      : [["container-image", imageReference]];
  const platform = Platform.fromPartial({
    properties: [...properties, ...image].map(([name, value]) => ({
      name,
      value,
    })),
  });
  const routed = await route(Action.fromPartial({ ...stored, platform }));
  const command = Command.decode(routed.command?.data ?? Buffer.alloc(0));
  const words = command.arguments;
  return {
    flags: words
      .slice(0, words.indexOf("--"))
      .filter((word) => /^--(workdir|stdin|place|collect|secret)=/.test(word)),
    outputPaths: command.outputPaths,
    left: routed.action.platform?.properties,
  };
}

describe("route() and the step of a job", () => {
  test("route() turns properties into flags in one order, and takes them off", async () => {
    expect(
      await routeWith([
        ["berth-collect", "/out/:tree"],
        ["berth-collect", "/var/re:sult:b"],
        ["berth-place", "in:/etc/a:b"],
        ["berth-place", "data:/data"],
        ["berth-secret", "PASSWORD:db-main"],
        ["berth-secret", "TOKEN:token"],
        ["berth-stdin", "in"],
        ["berth-workdir", "/work"],
      ]),
    ).toEqual({
      flags: [
        "--workdir=/work",
        "--stdin=in",
        "--place=in:/etc/a:b",
        "--place=data:/data",
        "--collect=/out/:tree",
        "--collect=/var/re:sult:b",
        "--secret=PASSWORD:db-main",
        "--secret=TOKEN:token",
      ],
      outputPaths: ["b", "tree"],
      left: [],
    });
  });

  test.each([
    ["berth-stdin", "./a//b/../c", "--stdin=a/c"],
    ["berth-workdir", "//a/./b/", "--workdir=/a/b"],
    ["berth-workdir", "/", "--workdir=/"],
    ["berth-place", "a/./b:/c//d/", "--place=a/b:/c/d"],
    ["berth-collect", "//c/./d//:x/../y", "--collect=/c/d/:y"],
  ])("route() brings %s=%s into one spelling", async (name, value, flag) => {
    expect((await routeWith([[name, value]])).flags).toEqual([flag]);
  });

  test("route() says the same thing to the helper once", async () => {
    const found = await routeWith([
      ["berth-stdin", "a"],
      ["berth-stdin", "./a"],
      ["berth-workdir", "/w"],
      ["berth-workdir", "/w/"],
    ]);
    expect(found.flags).toEqual(["--workdir=/w", "--stdin=a"]);
  });

  test("route() adds to the outputs what is not among them", async () => {
    const { outputPaths } = await routeWith(
      [
        ["berth-collect", "/1:a/b/new"],
        ["berth-collect", "/2:a/listed"],
        ["berth-collect", "/3:top"],
        ["berth-collect", "/4:a/beside"],
      ],
      {
        command: {
          workingDirectory: "a/b",
          outputPaths: ["../listed", "own"],
        },
      },
    );
    expect(outputPaths).toEqual([
      "../../top",
      "../beside",
      "../listed",
      "new",
      "own",
    ]);
  });

  test("route() refuses a secret that the instance does not allow", async () => {
    const properties = [["berth-secret", "A:other"]] as const;
    const error = (list: string) => ({
      code: Code.PermissionDenied,
      message: list,
    });
    const message =
      'Secret "other" is not allowed for instance name "": the router\'s configuration lists what is, key "secrets" of the instance';
    await expect(routeWith(properties)).rejects.toMatchObject(error(message));
    await expect(
      routeWith(properties, { settings: { secrets: [] } }),
    ).rejects.toMatchObject(error(message));
    const all = await routeWith(properties, { settings: { secrets: ["*"] } });
    expect(all.flags).toEqual(["--secret=A:other"]);
  });

  test("route() refuses patterns of secrets that no name could match", async () => {
    await expect(
      routeWith([], { settings: { secrets: ["a/b"] } }),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message:
        'Pattern of secrets must be a name of letters, digits, ".", "_", "-" and "*": current value is "a/b"',
    });
  });

  test.each([
    ["berth-stdin", "a"],
    ["berth-place", "a:/a"],
    ["berth-collect", "/a:a"],
    ["berth-workdir", "/a"],
    ["berth-user", "1"],
    ["berth-secret", "A:token"],
  ])("route() refuses %s for what it passes on", async (name, value) => {
    await expect(
      routeWith([[name, value]], { isWithoutImage: true }),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Platform property "${name}" must not be set for an action that runs on the worker as it is: name an image in platform property "container-image"`,
    });
  });

  test("route() gives actions without an image the same in the sandbox", async () => {
    const { flags } = await routeWith([["berth-stdin", "a"]], {
      isWithoutImage: true,
      settings: { noImage: "sandbox" },
    });
    expect(flags).toEqual(["--stdin=a"]);
  });

  const inRoot = 'name an absolute path without ".." and NUL in the root';
  test.each([
    ["berth-stdin", "", "name something in the input root"],
    ["berth-stdin", "a:b", "not hold a colon in that path"],
    ["berth-workdir", "a", inRoot],
    ["berth-workdir", "/a/../b", inRoot],
    ["berth-place", "a", 'be "input path:/path in root"'],
    ["berth-place", "a:b", inRoot],
    ["berth-place", ":/b", "name something in the input root"],
    ["berth-place", "a:/", "name a path below the root"],
    ["berth-place", "a:/proc/x", "leave /proc, /sys and /dev alone"],
    ["berth-place", "a://./dev", "leave /proc, /sys and /dev alone"],
    ["berth-collect", "/a", 'be "/path in root:output path"'],
    ["berth-collect", "/a:", "name something in the input root"],
    ["berth-collect", "/:a", "name a path below the root"],
    ["berth-collect", "a:b", inRoot],
  ])("route() refuses %s=%s", async (name, value, rule) => {
    await expect(routeWith([[name, value]])).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Platform property "${name}" must ${rule}: current value is "${value}"`,
    });
  });

  test.each(["A", "A:", ":a", "1:a", "A:.a", "A:a/b", "A-B:a", "A:a\n"])(
    "route() refuses berth-secret=%j",
    async (value) => {
      await expect(routeWith([["berth-secret", value]])).rejects.toMatchObject({
        code: Code.InvalidArgument,
      });
    },
  );

  test.each<[readonly Property[], string]>([
    [
      [["berth-stdin", "../a"]],
      'Path in platform property "berth-stdin" must stay within the input root: current value is "../a"',
    ],
    [
      [["berth-place", "/a:/b"]],
      'Path in platform property "berth-place" must be relative: current value is "/a"',
    ],
    [
      [
        ["berth-stdin", "a"],
        ["berth-stdin", "b"],
      ],
      'Platform properties "berth-stdin" and "berth-stdin" must not contradict each other: current values are "a" and "b"',
    ],
    [
      [
        ["berth-collect", "/a:x"],
        ["berth-collect", "/b:x"],
      ],
      'Output path of platform property "berth-collect" must be collected once: current value is "x"',
    ],
    [
      [["berth-collect", "/a:w"]],
      'Output path of platform property "berth-collect" must not hold the working directory: current value is "w"',
    ],
  ])("route() refuses %j", async (properties, message) => {
    await expect(
      routeWith(properties, { command: { workingDirectory: "w/d" } }),
    ).rejects.toMatchObject({ code: Code.InvalidArgument, message });
  });
});
