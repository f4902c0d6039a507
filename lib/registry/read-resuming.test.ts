import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sha256 } from "../../test/fixtures/test-image.js";
import { Code } from "../status/index.js";
import {
  createTestClient,
  drain,
  type EvilSetup,
  setupEvilRegistry,
} from "./testing/setup-evil-registry.js";

describe("RegistryClient.openBlob()", () => {
  let parts: EvilSetup;
  beforeAll(async () => {
    parts = await setupEvilRegistry();
  });
  afterAll(() => parts.stop());

  /** Reads the layer under a fault and counts the requests it took. */
  async function read(fault: string) {
    const { client, layer, reference, pulls } = parts;
    const { data, error } = await drain(
      client.openBlob(reference(fault), layer),
    );
    const requests = await pulls(new RegExp(`^/v2/${fault}/pub/x/blobs/`));
    const ranges = requests.map(({ headers }) => headers.range);
    return { data, error, ranges };
  }

  function failure(fault: string, text: string): string {
    const { layer, reference } = parts;
    return `Failed to fetch blob ${layer.digest} of "${reference(fault)}": ${text}`;
  }

  test("openBlob() gives the bytes with one request where nothing is wrong", async () => {
    const { data, error, ranges } = await read("slow-100000000");
    expect(error).toBeUndefined();
    expect(sha256(data)).toBe(parts.layer.digest);
    expect(ranges).toEqual([undefined]);
  });

  test("openBlob() refuses a flipped byte and keeps the last chunk back (B01)", async () => {
    const { layer } = parts;
    for (const offset of [0, 100, layer.sizeBytes - 1]) {
      const { data, error, ranges } = await read(`flip-${offset}`);
      expect(error).toMatchObject({
        code: Code.DataLoss,
        message: expect.stringMatching(
          new RegExp(
            `: blob ${layer.digest} of ${layer.sizeBytes} bytes is corrupt: its bytes have digest sha256:[0-9a-f]{64}$`,
          ),
        ),
      });
      expect(data.byteLength).toBeLessThan(layer.sizeBytes);
      expect(ranges).toHaveLength(1);
    }
  });

  test("openBlob() resumes by Range where the connection broke (B06)", async () => {
    const { data, ranges } = await read("truncfirst-5000");
    expect(sha256(data)).toBe(parts.layer.digest);
    expect(ranges).toEqual([undefined, "bytes=5000-"]);
  });

  test("openBlob() begins anew without Range, once, and skips what it has (B06)", async () => {
    const { data, ranges } = await read("truncfirst-5000__norange");
    expect(sha256(data)).toBe(parts.layer.digest);
    expect(ranges).toEqual([undefined, "bytes=5000-"]);
  });

  test("openBlob() does not believe a range that is not the one asked for (B06)", async () => {
    const { data, ranges } = await read("truncfirst-5000__badrange");
    expect(sha256(data)).toBe(parts.layer.digest);
    expect(ranges).toEqual([undefined, "bytes=5000-", undefined]);
  });

  test("openBlob() gives up after four broken connections (B06)", async () => {
    const { layer, host } = parts;
    const { data, error, ranges } = await read("trunc-5000");
    expect(error).toMatchObject({
      code: Code.Unavailable,
      message: failure(
        "trunc-5000",
        `registry "${host}" closed the connection after 20000 of ${layer.sizeBytes} bytes`,
      ),
    });
    expect(data.byteLength).toBeLessThanOrEqual(20000);
    expect(ranges).toEqual([
      undefined,
      "bytes=5000-",
      "bytes=10000-",
      "bytes=15000-",
    ]);
  });

  test("openBlob() never transfers more than twice the blob (B06)", async () => {
    const { layer, host } = parts;
    const fault = "trunc-150000__norange";
    const { error, ranges } = await read(fault);
    expect(error).toMatchObject({
      code: Code.Unavailable,
      message: failure(
        fault,
        `registry "${host}" broke off 300000 bytes of a blob of ${layer.sizeBytes} and cannot resume it`,
      ),
    });
    // The third answer was given up at its headers.
    expect(ranges).toEqual([undefined, "bytes=150000-", undefined]);
  });

  test("openBlob() refuses what comes after the stated size (B02)", async () => {
    const { layer } = parts;
    const { data, error } = await read("grow-10");
    expect(error).toMatchObject({
      code: Code.DataLoss,
      message: failure(
        "grow-10",
        `blob ${layer.digest} of ${layer.sizeBytes} bytes is corrupt: it has more bytes than that`,
      ),
    });
    expect(data.byteLength).toBeLessThan(layer.sizeBytes);
  });

  test.each([1, 10 ** 12])(
    "openBlob() refuses a descriptor of %d bytes before reading any (B02)",
    async (sizeBytes) => {
      const { client, host, layer, reference } = parts;
      const { data, error } = await drain(
        client.openBlob(reference("norange"), { ...layer, sizeBytes }),
      );
      expect(error).toMatchObject({
        code: Code.DataLoss,
        message: failure(
          "norange",
          `registry "${host}" has a blob of ${layer.sizeBytes} bytes where the descriptor says ${sizeBytes}`,
        ),
      });
      expect(data.byteLength).toBe(0);
    },
  );

  test("openBlob() gives a stalled connection up, and resumes (B06)", async () => {
    const { host, layer, reference, pulls } = parts;
    const client = createTestClient([], {
      timeouts: { idleMs: 100 },
      retry: { attempts: 2 },
    });
    const { error } = await drain(
      client.openBlob(reference("stall-1000"), layer),
    );
    await client.close();
    expect(error).toMatchObject({
      code: Code.Unavailable,
      message: failure(
        "stall-1000",
        `registry "${host}" stopped sending after 2000 of ${layer.sizeBytes} bytes`,
      ),
    });
    const requests = await pulls(/stall-1000/);
    expect(requests.map(({ headers }) => headers.range)).toEqual([
      undefined,
      "bytes=1000-",
    ]);
  });

  test("openBlob() gives a registry up that drips (B06)", async () => {
    const { host, layer, reference, pulls } = parts;
    let now = 0;
    const client = createTestClient([], { now: () => (now += 20_000) });
    const { error } = await drain(
      client.openBlob(reference("slow-10000"), layer),
    );
    await client.close();
    expect(error).toMatchObject({
      code: Code.DeadlineExceeded,
      message: expect.stringContaining(
        `registry "${host}" sends less than 16384 bytes a second after `,
      ),
    });
    expect(await pulls(/slow-10000\//)).toHaveLength(1);
  });

  test("openBlob() ends at once when the caller gives up, with the caller's reason", async () => {
    const { client, layer, reference, pulls } = parts;
    const controller = new AbortController();
    const blob = client.openBlob(reference("stall-70000"), layer, {
      signal: controller.signal,
    });
    let error: unknown;
    try {
      for await (const _ of blob) {
        controller.abort(new DOMException("late", "TimeoutError"));
      }
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: Code.DeadlineExceeded });
    expect(await pulls(/stall-70000/)).toHaveLength(1);
  });

  test("openBlob() asks for nothing before the first chunk is wanted", async () => {
    const { client, layer, reference, pulls } = parts;
    const blob = client.openBlob(reference("trunc-1"), layer);
    await blob.return(undefined);
    expect(await pulls(/trunc-1\//)).toEqual([]);
  });

  test("openBlob() tells a blob that is not there from one that may not be had", async () => {
    const { client, host, layer, reference } = parts;
    const missing = parts.image.digest as typeof layer.digest; // no blob
    const { error } = await drain(
      client.openBlob(reference("norange"), { ...layer, digest: missing }),
    );
    expect(error).toMatchObject({
      code: Code.NotFound,
      message: `Failed to fetch blob ${missing} of "${reference("norange")}": registry "${host}" does not have it (HTTP status 404, MANIFEST_UNKNOWN)`,
    });
  });
});
