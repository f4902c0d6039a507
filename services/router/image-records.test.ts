// What one router writes down of an image, another one reads.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  ActionCacheService,
  ActionResult,
  type GetActionResultRequest,
  type UpdateActionResultRequest,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  type GrpcServer,
  implementUnary,
  serveGrpc,
} from "../../lib/grpc/index.js";
import { Code, StatusError } from "../../lib/status/index.js";
import {
  type EvilRegistry,
  startEvilRegistry,
} from "../../test/fixtures/evil-registry.js";
import {
  buildTestImage,
  pushTestImage,
} from "../../test/fixtures/test-image.js";
import { startRouterScenario } from "./testing/router-scenario.js";

const image = buildTestImage({ layers: [Buffer.alloc(0)] });
const folder = mkdtempSync(join(tmpdir(), "berth-records-"));

let registry: EvilRegistry;
let actionCache: GrpcServer;

beforeAll(async () => {
  registry = await startEvilRegistry();
  await pushTestImage(registry.host, "pub/x", { image });
  actionCache = await serveActionCache();
});
afterAll(async () => {
  await actionCache.stop(0);
  await registry.stop();
  rmSync(folder, { recursive: true });
});

/** An action cache that believes everybody. */
function serveActionCache(): Promise<GrpcServer> {
  const results = new Map<string, ActionResult>();
  const keyOf = (request: {
    instanceName: string;
    actionDigest: { hash: string } | undefined;
  }) => `${request.instanceName} ${request.actionDigest?.hash}`;
  const sink = (error: unknown) => {
    throw error;
  };
  const implementation = {
    getActionResult: implementUnary(async (request: GetActionResultRequest) => {
      const found = results.get(keyOf(request));
      if (found === undefined) throw new StatusError(Code.NotFound, "none");
      return found;
    }, sink),
    updateActionResult: implementUnary(
      async (request: UpdateActionResultRequest) => {
        const { actionResult = ActionResult.fromPartial({}) } = request;
        results.set(keyOf(request), actionResult);
        return actionResult;
      },
      sink,
    ),
  };
  return serveGrpc({
    listen: "127.0.0.1:0",
    services: [{ definition: ActionCacheService, implementation }],
    sink,
  });
}

/** How many requests a router that has just started makes for the image. */
async function pullsOfNewRouter(options: {
  key: string;
  instanceName: string;
}): Promise<number> {
  const key = join(folder, options.key);
  writeFileSync(key, Buffer.alloc(32, options.key), { mode: 0o600 });
  const imageRecords = { address: actionCache.address, key };
  const scenario = await startRouterScenario({ instance: { imageRecords } });
  try {
    const before = (await registry.pulls()).length;
    const action = await scenario.store(
      { arguments: ["tool"] },
      { "container-image": `${registry.host}/pub/x@${image.digest}` },
    );
    const { instanceName } = options;
    await scenario.route({ action, instanceName });
    return (await registry.pulls()).length - before;
  } finally {
    await scenario.stop();
  }
}

test("the router asks no registry for what another one wrote down for the same instance name", async () => {
  // The manifest and its config.
  expect(await pullsOfNewRouter({ key: "a", instanceName: "team" })).toBe(2);
  expect(await pullsOfNewRouter({ key: "a", instanceName: "team" })).toBe(0);
  expect(await pullsOfNewRouter({ key: "a", instanceName: "other" })).toBe(2);
  // What somebody without the key wrote is not believed.
  expect(await pullsOfNewRouter({ key: "b", instanceName: "team" })).toBe(2);
});
