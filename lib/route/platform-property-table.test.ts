import { describe, expect, test } from "@jest/globals";
import { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { setupRouteScenario } from "../../test/fixtures/route-scenario.js";
import { Code } from "../status/index.js";
import type { PropertyOverride } from "./index.js";

async function routeWith(
  properties: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, PropertyOverride>> = {},
) {
  const { store, route, imageReference } = setupRouteScenario({
    properties: new Map(Object.entries(overrides)),
  });
  const action = await store(
    { arguments: ["a"] },
    { ...properties, "container-image": imageReference },
  );
  const routed = await route(action);
  const { arguments: words } = Command.decode(
    routed.command?.data ?? Buffer.alloc(0),
  );
  return {
    flags: words.slice(2, words.indexOf("--")),
    left: (routed.action.platform?.properties ?? []).map(
      ({ name, value }) => `${name}=${value}`,
    ),
  };
}

describe("route() and the property table", () => {
  test.each([
    [{}, ["--network=host"]],
    [{ dockerNetwork: "off" }, ["--network=none"]],
    [{ dockerNetwork: "standard" }, ["--network=host"]],
    [{ network: "off" }, ["--network=none"]],
    [{ network: "bridge" }, ["--network=host"]],
    [{ "block-network": "true" }, ["--network=none"]],
    [{ "block-network": "" }, ["--network=none"]],
    [{ "block-network": "false" }, ["--network=host"]],
    [{ "requires-network": "false" }, ["--network=none"]],
    [{ "requires-network": "" }, ["--network=host"]],
    [{ "requires-external": "true" }, ["--network=host"]],
    [{ "requires-external": "false" }, ["--network=host"]],
    [
      { "requires-external": "true", "requires-network": "false" },
      ["--network=host"],
    ],
    [{ dockerNetwork: "off", "block-network": "1" }, ["--network=none"]],
    [{ dockerRunAsRoot: "true" }, ["--network=host", "--user=root"]],
    [{ dockerRunAsRoot: "False" }, ["--network=host"]],
    [{ dockerUser: "root" }, ["--network=host", "--user=root"]],
    [{ dockerUser: "" }, ["--network=host"]],
    [{ dockerUser: "007:08" }, ["--network=host", "--user=7:8"]],
    [{ dockerUser: "postgres" }, ["--network=host", "--user=postgres"]],
    [{ "berth-user": "www-data:00" }, ["--network=host", "--user=www-data:0"]],
    [
      { "berth-user": "root", dockerUser: "0" },
      ["--network=host", "--user=root"],
    ],
    [
      { dockerUser: "0", dockerRunAsRoot: "true" },
      ["--network=host", "--user=root"],
    ],
  ])("route() turns %j into %j and takes it off", async (properties, flags) => {
    expect(await routeWith(properties)).toEqual({ flags, left: [] });
  });

  test("route() takes off what always holds or means nothing here", async () => {
    const dropped = {
      dockerDropCapabilities: "ALL",
      dockerInit: "true",
      dockerPrivileged: "false",
      dockerReuse: "true",
      dockerSiblingContainers: "False",
      "init-dockerd": "false",
      "nonroot-workspace": "true",
      "persistent-workers": "true",
      "recycle-runner": "true",
      "workload-isolation-type": "oci",
    };
    expect((await routeWith(dropped)).left).toEqual([]);
  });

  test("route() leaves all that it does not know, sorted", async () => {
    const passed = { "label:x": "1", ISA: "x86-64", Pool: "p", toString: "y" };
    expect((await routeWith(passed)).left).toEqual([
      "ISA=x86-64",
      "Pool=p",
      "label:x=1",
      "toString=y",
    ]);
  });

  test("route() follows the operator's own words", async () => {
    const overrides = { Pool: "drop", dockerInit: "pass" } as const;
    const asked = { Pool: "p", dockerInit: "true" };
    expect((await routeWith(asked, overrides)).left).toEqual([
      "dockerInit=true",
    ]);
    await expect(
      routeWith({ gpu: "1" }, { gpu: "refuse" }),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message:
        'Platform property "gpu" must not be set: this instance does not take it',
    });
  });

  test.each([
    [
      { dockerNetwork: "vpn" },
      'Platform property "dockerNetwork" must be "standard" or "off": current value is "vpn"',
    ],
    [
      { network: "toString" },
      'Platform property "network" must be "standard" or "off": current value is "toString"',
    ],
    [
      { "block-network": "maybe" },
      'Platform property "block-network" must be "true" or "false": current value is "maybe"',
    ],
    [
      { dockerNetwork: "standard", "block-network": "true" },
      'Platform properties "block-network" and "dockerNetwork" must not contradict each other: current values are "true" and "standard"',
    ],
    [
      { dockerUser: "1000", dockerRunAsRoot: "true" },
      'Platform properties "dockerRunAsRoot" and "dockerUser" must not contradict each other: current values are "true" and "1000"',
    ],
    [
      { dockerUser: "post gres" },
      'Platform property "dockerUser" must be "user[:group]", each a name or a number: current value is "post gres"',
    ],
    [
      { "berth-user": "a:b:c" },
      'Platform property "berth-user" must be "user[:group]", each a name or a number: current value is "a:b:c"',
    ],
    [
      { dockerUser: "-1" },
      'Platform property "dockerUser" must be "user[:group]", each a name or a number: current value is "-1"',
    ],
    [
      { dockerUser: "4294967295" },
      'Platform property "dockerUser" must be "user[:group]", each a name or a number: current value is "4294967295"',
    ],
    [
      { dockerPrivileged: "true" },
      'Platform property "dockerPrivileged" must not be set: actions never get privileges on the worker',
    ],
    [
      { dockerSiblingContainers: "true" },
      'Platform property "dockerSiblingContainers" must not be set: there is no Docker daemon on the worker',
    ],
    [
      { dockerAddCapabilities: "SYS_ADMIN" },
      'Platform property "dockerAddCapabilities" must not be set: actions never get capabilities on the worker',
    ],
    [
      { "workload-isolation-type": "firecracker" },
      'Platform property "workload-isolation-type" must not be set: the only isolation is berth\'s own sandbox of namespaces',
    ],
    [
      { "container-registry-password": "hunter2" },
      "Platform property \"container-registry-password\" must not be set: credentials of registries belong into the router's and the fetcher's configuration, never into an action",
    ],
  ])("route() refuses %j", async (properties, message) => {
    const refused = routeWith(properties);
    await expect(refused).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message,
    });
    await expect(refused).rejects.not.toThrow("hunter2");
  });

  test("route() refuses a network that the instance does not offer", async () => {
    const { store, route, imageReference } = setupRouteScenario({
      networks: ["none"],
      helper: {
        command: ["/berth/berth-exec"],
        defaultNetwork: "none",
        imageUser: "ignore",
        infrastructureFailureFile: false,
      },
    });
    const action = await store(
      { arguments: ["a"] },
      { "container-image": imageReference, dockerNetwork: "standard" },
    );
    await expect(route(action)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message:
        'Platform property "dockerNetwork" must ask for a network that instance name "" offers (none): current value is "standard"',
    });
  });
});
