import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseInstanceName } from "../digest/index.js";
import { parseImageReference, parsePlatform } from "../image/index.js";
import { Code, StatusError } from "../status/index.js";
import {
  createDeduplicatingImageResolver,
  createSourceImageResolver,
} from "./index.js";
import {
  type EvilSetup,
  setupEvilRegistry,
} from "./testing/setup-evil-registry.js";

const amd64 = parsePlatform("linux/amd64");

describe("createDeduplicatingImageResolver() with a real client", () => {
  let parts: EvilSetup;
  beforeAll(async () => {
    parts = await setupEvilRegistry();
  });
  afterAll(() => parts.stop());

  test("resolve() makes one pull for 500 callers, though the first one leaves (C06)", async () => {
    const { client, image, pulls, reference } = parts;
    const resolver = createDeduplicatingImageResolver(
      createSourceImageResolver(client),
    );
    const controller = new AbortController();
    const first = resolver.resolve(reference("s503-1"), amd64, {
      signal: controller.signal,
    });
    const others = Array.from({ length: 499 }, () =>
      resolver.resolve(reference("s503-1"), amd64),
    );
    controller.abort();
    await expect(first).rejects.toMatchObject({ code: Code.Cancelled });
    for (const { manifestDigest } of await Promise.all(others)) {
      expect(manifestDigest).toBe(image.digest);
    }
    // The manifest and the config, each refused once before.
    expect(await pulls(/s503-1\//)).toHaveLength(4);
  });

  test("resolve() ends the pull when nobody waits any more (C06)", async () => {
    // A registry that takes requests and never answers.
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const reference = parseImageReference(`127.0.0.1:${port}/x`);
    const resolver = createDeduplicatingImageResolver(
      createSourceImageResolver(parts.client),
    );
    const requested = once(server, "request");
    const controllers = [new AbortController(), new AbortController()];
    const outcomes = Promise.allSettled(
      controllers.map(({ signal }) =>
        resolver.resolve(reference, amd64, { signal }),
      ),
    );
    const [request] = (await requested) as [IncomingMessage]; // by its event
    const closed = once(request.socket, "close");
    for (const controller of controllers) controller.abort();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ reason: { code: Code.Cancelled } });
    }
    await closed;
    server.close();
  });
});

test("resolve() asks for each instance name by itself, and says for which", async () => {
  const asked: (string | undefined)[] = [];
  const resolver = createDeduplicatingImageResolver({
    resolve: async (_reference, _platform, { instanceName } = {}) => {
      asked.push(instanceName);
      throw new StatusError(Code.NotFound, "no image");
    },
  });
  const reference = parseImageReference("registry.test/a:1");
  const names = ["a", "b", "a"].map((name) => parseInstanceName(name));
  await Promise.allSettled(
    names.map((instanceName) =>
      resolver.resolve(reference, amd64, { instanceName }),
    ),
  );
  expect(asked).toEqual(["a", "b"]);
});
