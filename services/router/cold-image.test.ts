// Many actions at once for an image that nobody knows yet, with a registry
// that counts its requests.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Code } from "../../lib/status/index.js";
import {
  type EvilRegistry,
  startEvilRegistry,
} from "../../test/fixtures/evil-registry.js";
import {
  buildTestImage,
  pushTestImage,
} from "../../test/fixtures/test-image.js";
import {
  type RouterScenario,
  startRouterScenario,
} from "./testing/router-scenario.js";

const image = buildTestImage();

describe("the router and a cold image", () => {
  let registry: EvilRegistry;
  let scenario: RouterScenario;
  beforeAll(async () => {
    registry = await startEvilRegistry();
    await pushTestImage(registry.host, "pub/x", { image });
    scenario = await startRouterScenario();
  });
  afterAll(async () => {
    await scenario.stop();
    await registry.stop();
  });

  /** An action whose image is served with a fault. */
  function actionIn(repository: string, argument: string) {
    return scenario.store(
      { arguments: [argument] },
      { "container-image": `${registry.host}/${repository}@${image.digest}` },
    );
  }

  test("the router asks once for the image of 500 actions at once", async () => {
    const actions = await Promise.all(
      Array.from({ length: 500 }, (_, at) => actionIn("pub/x", `action ${at}`)),
    );
    const answers = await Promise.all(
      actions.map((action) => scenario.route({ action })),
    );
    const commands = new Set(answers.map((a) => a.action?.commandDigest?.hash));
    expect(commands.size).toBe(500);
    expect(await registry.pulls(/\/manifests\//)).toHaveLength(1);
    expect(await registry.pulls(/\/blobs\//)).toHaveLength(1); // its config
  });

  test("the router keeps a caller's deadline, and the others get their answer", async () => {
    // The config has some 300 bytes: about a second.
    const repository = "slow-300/pub/x";
    const hasty = await actionIn(repository, "hasty");
    const patient = await actionIn(repository, "patient");
    const start = performance.now();
    const [first, second] = await Promise.allSettled([
      scenario.route(
        { action: hasty },
        { deadline: new Date(Date.now() + 100) },
      ),
      scenario.route({ action: patient }),
    ]);
    expect(first).toMatchObject({ reason: { code: Code.DeadlineExceeded } });
    expect(second).toMatchObject({ status: "fulfilled" });
    expect(performance.now() - start).toBeGreaterThan(100);
    const pulls = await registry.pulls(/slow-300\/.*\/manifests\//);
    expect(pulls).toHaveLength(1);
  });

  test("the router stops asking when all callers are gone", async () => {
    const repository = "slow-20/pub/x";
    const controller = new AbortController();
    const { signal } = controller;
    const routes = ["a", "b", "c"].map(async (argument) =>
      scenario.route(
        { action: await actionIn(repository, argument) },
        { signal },
      ),
    );
    await waitFor(async () => {
      const pulls = await registry.pulls(/slow-20\//);
      return pulls.length > 0;
    });
    controller.abort();
    for (const route of await Promise.allSettled(routes)) {
      expect(route).toMatchObject({ reason: { code: Code.Cancelled } });
    }
    await waitFor(async () =>
      (await scenario.metrics.metrics()).includes(
        "\nberth_router_requests_in_flight 0\n",
      ),
    );
  });
});

/** Waits for something to become true; the test's own time bounds it. */
async function waitFor(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
