import { describe, expect, test } from "@jest/globals";
import {
  Action,
  Command,
  Platform,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  actionOf,
  setupRouteScenario,
  testRouteSettings,
} from "../../test/fixtures/route-scenario.js";
import { Digest } from "../digest/index.js";
import type { Route } from "./index.js";

/** The new Command; fails the test where the action was left as it is. */
function commandOf({ command }: Route): Command {
  if (command === undefined) throw new Error("The command was not rewritten");
  return Command.decode(command.data);
}

describe("route()", () => {
  test("route() rewrites an action that names an image by digest", async () => {
    const { store, route, imageReference } = setupRouteScenario();
    const action = await store(
      {
        arguments: ["cc", "-c", "a.c"],
        environmentVariables: [{ name: "LANG", value: "de" }],
        workingDirectory: "src",
        outputPaths: ["a.o"],
      },
      {
        OSFamily: "linux",
        "container-image": `docker://${imageReference}`,
        dockerNetwork: "off",
      },
    );
    const routed = await route(action);
    expect(commandOf(routed)).toMatchObject({
      arguments: [
        "/berth/berth-exec",
        `--image=${imageReference}`,
        "--working-directory=src",
        "--network=none",
        "--",
        "cc",
        "-c",
        "a.c",
      ],
      environmentVariables: [
        { name: "LANG", value: "de" },
        { name: "PATH", value: "/usr/bin:/bin" },
      ],
      workingDirectory: "src",
      outputPaths: ["a.o"],
    });
    expect(routed.action).toEqual({
      ...action,
      commandDigest: routed.command?.digest.toProto(),
      platform: Platform.fromPartial({
        properties: [{ name: "OSFamily", value: "linux" }],
      }),
    });
  });

  test("route() leaves an action without an image as it is", async () => {
    const { store, route } = setupRouteScenario();
    const action = await store({ arguments: ["a"] }, { pool: "x" });
    const routed = await route(action);
    expect(routed.command).toBeUndefined();
    expect(routed.action).toBe(action);
  });

  test("route() gives an action without any platform an empty one", async () => {
    const { store, route } = setupRouteScenario();
    const action = await store({ arguments: ["a"] });
    const routed = await route(action);
    expect(routed.action).toEqual({ ...action, platform: { properties: [] } });
  });

  test("route() takes the Command's platform where the Action has none", async () => {
    const { store, route, imageReference } = setupRouteScenario();
    const platform = Platform.fromPartial({
      properties: [
        { name: "container-image", value: imageReference },
        { name: "pool", value: "x" },
      ],
    });
    const action = await store({ arguments: ["a"], platform });
    const routed = await route(action);
    const left = Platform.fromPartial({
      properties: [{ name: "pool", value: "x" }],
    });
    expect(routed.action.platform).toEqual(left);
    expect(commandOf(routed).platform).toEqual(left);
  });

  test("route() promotes the platform of a Command without an image", async () => {
    const { store, route } = setupRouteScenario();
    const platform = Platform.fromPartial({
      properties: [{ name: "pool", value: "x" }],
    });
    const action = await store({ arguments: ["a"], platform });
    const routed = await route(action);
    expect(routed.command).toBeUndefined();
    expect(routed.action).toEqual({ ...action, platform });
  });

  test("route() puts an action without an image behind the helper if told", async () => {
    const { store, route } = setupRouteScenario({ noImage: "sandbox" });
    const action = await store(
      { arguments: ["a", "b"], workingDirectory: "./w/" },
      { "container-image": "none", "requires-network": "false", pool: "x" },
    );
    const routed = await route(action);
    expect(commandOf(routed).arguments).toEqual([
      "/berth/berth-exec",
      "--sandbox",
      "--working-directory=w",
      "--network=none",
      "--",
      "a",
      "b",
    ]);
    expect(routed.action.platform).toEqual(
      Platform.fromPartial({ properties: [{ name: "pool", value: "x" }] }),
    );
  });

  test("route() keeps fields that it does not know", async () => {
    const { cas, route, store, imageReference } = setupRouteScenario();
    const known = await store({ arguments: ["a"] });
    const unknown = Buffer.from([0xfa, 0x3f, 3, 1, 2, 3]); // field 1023
    const before = await cas.read(
      Digest.fromProto(known.commandDigest, "command_digest"),
    );
    const digest = await cas.write(Buffer.concat([before, unknown]));
    const action = Action.decode(
      Buffer.concat([
        Action.encode(
          actionOf(digest, { "container-image": imageReference }),
        ).finish(),
        unknown,
      ]),
    );
    const routed = await route(action);
    expect(routed.command?.data.subarray(-6)).toEqual(new Uint8Array(unknown));
    expect(
      Buffer.from(Action.encode(routed.action).finish()).subarray(-6),
    ).toEqual(unknown);
  });

  test("route() turns the output fields of old clients into output_paths", async () => {
    const { store, route, imageReference } = setupRouteScenario();
    const action = await store(
      {
        arguments: ["a"],
        outputFiles: ["b/./file", "a//file"],
        outputDirectories: ["b/tree", "b/tree/inner", ""],
      },
      { "container-image": imageReference },
    );
    expect(commandOf(await route(action))).toMatchObject({
      outputPaths: ["", "a/file", "b/file", "b/tree", "b/tree/inner"],
      outputFiles: [],
      outputDirectories: [],
      // Such a client makes no directory itself and expects them to be there.
      arguments: expect.arrayContaining([
        "--make-directory=b/tree",
        "--make-directory=b/tree/inner",
      ]),
    });
  });

  test("route() ignores the old fields where output_paths is used", async () => {
    const { store, route, imageReference } = setupRouteScenario();
    const action = await store(
      {
        arguments: ["a"],
        workingDirectory: "w",
        outputPaths: ["z", "a/b", "./z", "../up"],
        outputFiles: ["old"],
        outputDirectories: ["older"],
      },
      { "container-image": imageReference },
    );
    expect(commandOf(await route(action))).toMatchObject({
      outputPaths: ["../up", "a/b", "z"],
      outputFiles: [],
      arguments: expect.not.arrayContaining([
        expect.stringContaining("--make-directory"),
      ]),
    });
  });

  test("route() passes the infrastructure failure file on only if told", async () => {
    const settings = { ...testRouteSettings.helper };
    for (const [isOn, path, expected] of [
      [false, "out/f", []],
      [true, "out/../f", ["--infrastructure-failure-file=f"]],
      [true, "../f", ["--infrastructure-failure-file=../f"]],
      [true, "../../f", []],
      [true, "/tmp/f", []],
    ] as const) {
      const { store, route, imageReference } = setupRouteScenario({
        helper: { ...settings, infrastructureFailureFile: isOn },
      });
      const action = await store(
        {
          arguments: ["a"],
          workingDirectory: "w",
          environmentVariables: [
            { name: "TEST_INFRASTRUCTURE_FAILURE_FILE", value: path },
          ],
        },
        { "container-image": imageReference },
      );
      const flags = commandOf(await route(action)).arguments.slice(4, -2);
      expect(flags).toEqual(expected);
    }
  });
});
