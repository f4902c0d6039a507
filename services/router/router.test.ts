import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { HealthClient } from "#proto/grpc/health/v1/health.js";
import { InMemoryContentAddressableStorage } from "../../lib/cas/index.js";
import { createCasServices } from "../../lib/cas-service/index.js";
import { parseConfiguration } from "../../lib/configuration/index.js";
import { Digest } from "../../lib/digest/index.js";
import {
  callUnary,
  channelCredentials,
  serveGrpc,
} from "../../lib/grpc/index.js";
import { silentLogger } from "../../lib/log/index.js";
import { createMetrics } from "../../lib/metrics/index.js";
import { Code } from "../../lib/status/index.js";
import { findFreePort } from "../../test/fixtures/child-server.js";
import { routerConfigurationSchema } from "./configuration.js";
import { checkRouterConfiguration, startRouter } from "./router.js";
import { startRouterScenario } from "./testing/router-scenario.js";

const instance = {
  prefix: "",
  cas: { address: "127.0.0.1:1" },
  helper: ["/berth/berth-exec"],
};

function check(configuration: object): Promise<void> {
  return checkRouterConfiguration(
    parseConfiguration(
      JSON.stringify({ listen: "127.0.0.1:0", ...configuration }),
      "router.json",
      routerConfigurationSchema,
    ),
    { metrics: createMetrics(), log: silentLogger },
  );
}

describe("checkRouterConfiguration()", () => {
  test("checkRouterConfiguration() takes a small configuration", async () => {
    await check({ instances: [instance] });
  });

  test.each([
    [
      { helper: ["berth-exec"] },
      'Failed to configure instance "": Helper must be an absolute path and its first arguments: current value is "berth-exec"',
    ],
    [
      { helper: ["/berth-exec", "--"] },
      'Failed to configure instance "": Helper must not hold "--" or NUL, which the router adds itself: current value is "/berth-exec --"',
    ],
    [
      { prefix: "a/../b" },
      'Failed to configure instance "a/../b": Instance name must consist of plain components joined by "/": current value is "a/../b"',
    ],
    [
      { networks: ["none"] },
      'Failed to configure instance "": Default network must be one of those that are offered (none): current value is "host"',
    ],
    [
      { defaultPlatform: "linux" },
      'Failed to configure instance "": Platform must be os/architecture[/variant], such as "linux/amd64": current value is "linux"',
    ],
    [
      { properties: { "container-image": "drop" } },
      'Failed to configure instance "": Property with a rule of its own must not name the image as well: current value is "container-image"',
    ],
    [
      { imageProperties: [] },
      'Failed to configure instance "": Image properties must be one name or more: current value is ""',
    ],
    [
      { tags: { policy: "pin", pins: "/none.yaml" } },
      'Failed to configure instance "": Failed to read configuration "/none.yaml": ENOENT: no such file or directory, open \'/none.yaml\'',
    ],
    [
      { cas: { address: "127.0.0.1:1", tls: { authority: "/none.pem" } } },
      'Failed to configure instance "": Failed to read authority "/none.pem": ENOENT: no such file or directory, open \'/none.pem\'',
    ],
  ])("checkRouterConfiguration() refuses %j", async (changes, message) => {
    await expect(
      check({ instances: [{ ...instance, ...changes }] }),
    ).rejects.toMatchObject({ message });
  });

  test("checkRouterConfiguration() refuses two instances of one prefix", async () => {
    await expect(
      check({ instances: [instance, instance] }),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: 'Instance prefix must be unique: current value is ""',
    });
  });

  test("checkRouterConfiguration() knows no rule on single invocations", async () => {
    const when = { toolInvocationId: "x" };
    await expect(async () =>
      check({ instances: [instance], metadataRules: [{ when }] }),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringMatching(
        /^router\.json:1:\d+: "metadataRules\.0\.when\.toolInvocationId": there is no such field$/,
      ),
    });
  });

  test("checkRouterConfiguration() reads pins in any spelling of a tag", async () => {
    const folder = await mkdtemp(join(tmpdir(), "berth-router-"));
    try {
      const pins = join(folder, "pins.yaml");
      const tags = { policy: "pin", pins };
      const checked = () => check({ instances: [{ ...instance, tags }] });
      await writeFile(pins, `debian:12: sha256:${"0".repeat(64)}\n`);
      await checked();
      await writeFile(pins, "debian:12: sha256:0\n");
      await expect(checked()).rejects.toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringContaining(`Digest of "debian:12" in "${pins}"`),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("Router", () => {
  test("Router is ready only when its CAS answers", async () => {
    const address = `127.0.0.1:${await findFreePort()}`;
    const router = await startRouter(
      parseConfiguration(
        JSON.stringify({
          listen: "127.0.0.1:0",
          diagnostics: "127.0.0.1:0",
          instances: [{ ...instance, cas: { address } }],
        }),
        "router.json",
        routerConfigurationSchema,
      ),
      { metrics: createMetrics(), log: silentLogger },
    );
    const health = new HealthClient(router.address, channelCredentials());
    const state = async () => ({
      http: (await fetch(`http://${router.diagnosticsAddress}/readyz`)).status,
      grpc: (await callUnary(health.check.bind(health), { service: "" }))
        .status,
    });
    const sink = () => {};
    const cas = new InMemoryContentAddressableStorage({ maximumSizeBytes: 1 });
    try {
      expect(await state()).toEqual({ http: 503, grpc: 2 });
      const server = await serveGrpc({
        listen: address,
        services: createCasServices({ cas, sink }),
        sink,
      });
      await router.ready;
      expect(await state()).toEqual({ http: 200, grpc: 1 });
      await server.stop(0);
      expect(await state()).toEqual({ http: 200, grpc: 1 });
    } finally {
      health.close();
      await router.stop();
    }
  });

  test("Router counts what it did", async () => {
    const { store, route, metrics, stop } = await startRouterScenario();
    try {
      await route({ action: await store({ arguments: ["a"] }, { x: "y" }) });
      await route({ action: undefined }).catch(() => {});
      const text = await metrics.metrics();
      for (const line of [
        'berth_router_requests_total{mode="pass",result="ok",code="OK"} 1',
        'berth_router_requests_total{mode="none",result="refused",code="INVALID_ARGUMENT"} 1',
        'berth_router_route_seconds_count{mode="pass"} 1',
        "berth_router_requests_in_flight 0",
      ]) {
        expect(text).toContain(`\n${line}\n`);
      }
    } finally {
      await stop();
    }
  });

  test("Router refuses actions beyond its bound at once", async () => {
    const { store, route, stop } = await startRouterScenario({
      instance: { noImage: "sandbox" },
      configuration: { limits: { concurrentRoutes: 1, drainTimeout: "1s" } },
    });
    try {
      const actions = await Promise.all(
        ["a", "b", "c"].map((argument) => store({ arguments: [argument] })),
      );
      const outcomes = await Promise.allSettled(
        actions.map((action) => route({ action })),
      );
      const refused = outcomes.filter(({ status }) => status === "rejected");
      expect(refused.length).toBeGreaterThan(0);
      for (const outcome of refused) {
        expect(outcome).toMatchObject({
          reason: {
            code: Code.ResourceExhausted,
            message: "The router has 1 actions under way already",
          },
        });
      }
      await route({ action: actions[0] }); // later there is room again
    } finally {
      await stop();
    }
  });

  test("Router finishes what is under way before it stops", async () => {
    const scenario = await startRouterScenario({
      instance: { noImage: "sandbox" },
    });
    try {
      const action = await scenario.store({ arguments: ["a"] });
      const digest = Digest.fromProto(action.commandDigest, "command_digest");
      // The router tries again for some tenths of a second.
      const { Unavailable: code } = Code;
      scenario.faults.set(digest.key, { type: "status", code, times: 3 });
      const answer = scenario.route({ action });
      while (!/_in_flight 1\n/.test(await scenario.metrics.metrics())) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const stopped = scenario.router.stop();
      const command = await scenario.readCommand(await answer);
      expect(command.arguments.slice(-2)).toEqual(["--", "a"]);
      await stopped;
    } finally {
      await scenario.stop();
    }
  });

  test("Router lets CAS calls end whose callers are gone", async () => {
    const scenario = await startRouterScenario({
      instance: { noImage: "sandbox" },
    });
    try {
      const action = await scenario.store({ arguments: ["b"] });
      const digest = Digest.fromProto(action.commandDigest, "command_digest");
      const { Unavailable: code } = Code;
      scenario.faults.set(digest.key, { type: "status", code, times: 3 });
      const controller = new AbortController();
      const answer = scenario.route({ action }, controller);
      while (!/_in_flight 1\n/.test(await scenario.metrics.metrics())) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      controller.abort();
      await expect(answer).rejects.toMatchObject({ code: Code.Cancelled });
      await scenario.router.stop();
      expect(await scenario.metrics.metrics()).toContain(
        'berth_router_requests_total{mode="sandbox",result="ok",code="OK"} 1',
      );
    } finally {
      await scenario.stop();
    }
  });
});
