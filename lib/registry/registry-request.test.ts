import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { findFreePort } from "../../test/fixtures/child-server.js";
import { sha256 } from "../../test/fixtures/test-image.js";
import { parseImageReference } from "../image/index.js";
import { Code } from "../status/index.js";
import {
  createTestClient,
  drain,
  type EvilSetup,
  setupEvilRegistry,
} from "./testing/setup-evil-registry.js";

describe("RegistryClient.fetchManifest() when the registry has trouble", () => {
  let parts: EvilSetup;
  beforeAll(async () => {
    parts = await setupEvilRegistry();
  });
  afterAll(() => parts.stop());

  test.each(["s503-2", "s429-2"])(
    "fetchManifest() under %s waits as long as it is asked to, and succeeds (B08)",
    async (fault) => {
      const { client, image, pauses, pulls, reference } = parts;
      pauses.length = 0;
      const { digest } = await client.fetchManifest(reference(fault));
      expect(digest).toBe(image.digest);
      // Retry-After: 1, longer than our own pauses of 250 and 500 ms.
      expect(pauses).toEqual([1000, 1000]);
      expect(await pulls(new RegExp(fault))).toHaveLength(3);
    },
  );

  test("fetchManifest() gives up after four attempts with growing pauses (B08)", async () => {
    const { client, host, pauses, pulls, reference } = parts;
    pauses.length = 0;
    await expect(client.fetchManifest(reference("s500"))).rejects.toMatchObject(
      {
        code: Code.Unavailable,
        message: `Failed to fetch manifest of "${reference("s500")}": registry "${host}" has trouble of its own (HTTP status 500)`,
      },
    );
    expect(pauses).toEqual([250, 500, 1000]);
    expect(await pulls(/s500\/pub\/x\/manifests/)).toHaveLength(4);
  });

  test("openBlob() tries again as fetchManifest() does (B08)", async () => {
    const { client, layer, reference } = parts;
    const { data } = await drain(client.openBlob(reference("s503-3"), layer));
    expect(sha256(data)).toBe(layer.digest);
  });

  test("fetchManifest() waits no longer than the caller's deadline (B08)", async () => {
    const { host, pulls, reference } = parts;
    const controller = new AbortController();
    const client = createTestClient([], {
      retry: {
        sleep: async (_, signal) => {
          controller.abort(new DOMException("it is late", "TimeoutError"));
          signal?.throwIfAborted();
        },
      },
    });
    const options = { signal: controller.signal };
    await expect(
      client.fetchManifest(reference("s503-9"), options),
    ).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
      message: `Failed to fetch manifest of "${reference("s503-9")}": registry "${host}" has trouble of its own (HTTP status 503) (gave up before the next attempt: it is late)`,
    });
    expect(await pulls(/s503-9/)).toHaveLength(1);
    await client.close();
  });

  test("fetchManifest() does not wait when the registry wants more than half a minute (B08)", async () => {
    const { host, pulls, reference } = parts;
    const client = createTestClient([], {
      retry: { maximumRetryAfterMs: 500 },
    });
    await expect(
      client.fetchManifest(reference("s429-9")),
    ).rejects.toMatchObject({
      code: Code.Unavailable,
      message: `Failed to fetch manifest of "${reference("s429-9")}": registry "${host}" limits the rate of requests (HTTP status 429), and wants no request for 1 s`,
    });
    expect(await pulls(/s429-9/)).toHaveLength(1);
    await client.close();
  });

  test("fetchManifest() says that a registry is down (B08)", async () => {
    const { client } = parts;
    const host = `127.0.0.1:${await findFreePort()}`;
    const reference = parseImageReference(`${host}/pub/x`);
    await expect(client.fetchManifest(reference)).rejects.toMatchObject({
      code: Code.Unavailable,
      message: `Failed to fetch manifest of "${reference}": registry "${host}" refuses connections: check its port, and that it runs`,
    });
  });

  test("fetchManifest() refuses an encoding that it did not ask for", async () => {
    const { client, host, pulls, reference } = parts;
    await expect(
      client.fetchManifest(reference("cenc-3")),
    ).rejects.toMatchObject({
      code: Code.Internal,
      message: `Failed to fetch manifest of "${reference("cenc-3")}": registry "${host}" sends its answer with a Content-Encoding, which was not asked for`,
    });
    const requests = await pulls(/cenc-3/);
    expect(requests.map(({ headers }) => headers["accept-encoding"])).toEqual([
      "identity",
    ]);
  });

  test("fetchManifest() stops reading a manifest without end (B02)", async () => {
    const { client, host, pulls, reference } = parts;
    await expect(
      client.fetchManifest(reference("endless")),
    ).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: `Failed to fetch manifest of "${reference("endless")}": Manifest sent by registry "${host}" has more than the 4194304 bytes allowed`,
    });
    expect(await pulls(/endless/)).toHaveLength(1);
  });

  test("fetchManifest() looks at the bytes of a pinned manifest, never at a header (B04)", async () => {
    const { client, image, reference } = parts;
    const { digest } = await client.fetchManifest(reference("dcd"));
    expect(digest).toBe(image.digest);
  });
});
