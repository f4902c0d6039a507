import { describe, expect, test } from "@jest/globals";
import {
  Command,
  Platform,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { setupRouteScenario } from "../../test/fixtures/route-scenario.js";
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
});
