import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createCasServices } from "../cas-service/index.js";
import { Digest, parseInstanceName } from "../digest/index.js";
import { type GrpcService, serveGrpc } from "../grpc/index.js";
import { Code } from "../status/index.js";
import {
  collect,
  createGrpcCasClients,
  type Fault,
  FaultyContentAddressableStorage,
  GrpcContentAddressableStorage,
  InMemoryContentAddressableStorage,
} from "./index.js";

const context = { instanceName: parseInstanceName("") };
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A client of a store in memory that fails by a table; calls are counted. */
async function setupFaulty(maximumBatchBytes = 65_536) {
  const faults = new Map<string, Fault>();
  const base = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 2 ** 30,
  });
  const calls = new Map<string, number>();
  const services = createCasServices({
    cas: new FaultyContentAddressableStorage(base, faults),
    maximumBatchBytes,
    sink: () => {},
  }).map((service) => counting(service, calls));
  const server = await serveGrpc({
    listen: "127.0.0.1:0",
    services,
    sink: () => {},
  });
  const clients = createGrpcCasClients({ address: server.address });
  stops.push(async () => {
    clients.close();
    await server.stop(0);
  });
  const cas = new GrpcContentAddressableStorage(clients, {
    retry: { initialDelayMs: 1, timeoutMs: 500 },
  });
  return { cas, base, faults, calls };
}

function counting(
  { definition, implementation }: GrpcService,
  calls: Map<string, number>,
): GrpcService {
  const counted = Object.entries(implementation).map(([name, handler]) => [
    name,
    (...parameters: unknown[]) => {
      calls.set(name, (calls.get(name) ?? 0) + 1);
      return Reflect.apply(handler, undefined, parameters);
    },
  ]);
  return { definition, implementation: Object.fromEntries(counted) };
}

describe("GrpcContentAddressableStorage and a store that fails", () => {
  test.each([
    ["other bytes", Buffer.from("wrong bytes!")],
    ["fewer bytes", Buffer.from("right")],
    ["more bytes", Buffer.from("right bytes!+")],
  ])("GrpcContentAddressableStorage refuses %s", async (_, wrong) => {
    const { cas, base, faults } = await setupFaulty();
    const digest = await base.write(Buffer.from("right bytes!"));
    faults.set(digest.key, { type: "bytes", data: wrong });
    const dataLoss = expect.objectContaining({ code: Code.DataLoss });
    await expect(cas.read(digest, context)).rejects.toEqual(dataLoss);
    await expect(collect(cas.open(digest, context))).rejects.toEqual(dataLoss);
  });

  test("GrpcContentAddressableStorage says NotFound for a blob that went", async () => {
    const { cas, base, faults } = await setupFaulty();
    const digest = await base.write(Buffer.from("here"));
    faults.set(digest.key, { type: "missing" });
    await expect(cas.read(digest, context)).rejects.toMatchObject({
      code: Code.NotFound,
      message: `Failed to read blob "${digest}": Blob "${digest}" not found`,
    });
    expect(await cas.findMissing([digest], context)).toEqual([digest]);
  });

  test.each([Code.Unavailable, Code.ResourceExhausted])(
    "GrpcContentAddressableStorage sends the one blob of a hundred again that failed with code %d",
    async (code) => {
      const { cas, base, faults, calls } = await setupFaulty();
      const blobs = Array.from({ length: 100 }, () => randomBytes(100));
      const unlucky = Digest.of(blobs[50] ?? Buffer.alloc(0));
      faults.set(unlucky.key, { type: "status", code, times: 2 });
      const digests = await Promise.all(
        blobs.map((data) => cas.write(data, context)),
      );
      expect(await base.findMissing(digests)).toEqual([]);
      expect(calls.get("batchUpdateBlobs")).toBe(3);
    },
  );

  test("GrpcContentAddressableStorage gives up a blob that always fails, and no other", async () => {
    const { cas, faults } = await setupFaulty();
    const good = Buffer.from("good");
    const bad = Buffer.from("bad");
    const badDigest = Digest.of(bad);
    faults.set(badDigest.key, { type: "status", code: Code.Unavailable });
    const [first, second] = await Promise.allSettled([
      cas.write(good, context),
      cas.write(bad, context),
    ]);
    expect(first).toMatchObject({ status: "fulfilled" });
    expect(second).toMatchObject({
      reason: {
        code: Code.Unavailable,
        message: `Failed to write blob "${badDigest}": Fault for blob "${badDigest}"`,
      },
    });
  });

  test("GrpcContentAddressableStorage sends a large blob again when its stream broke", async () => {
    const { cas, base, faults } = await setupFaulty();
    const data = randomBytes(300_000);
    const digest = Digest.of(data);
    faults.set(digest.key, {
      type: "status",
      code: Code.Unavailable,
      times: 2,
    });
    let opened = 0;
    await cas.writeStream(
      digest,
      async function* () {
        opened++;
        yield data;
      },
      context,
    );
    expect((await base.read(digest)).equals(data)).toBe(true);
    expect(opened).toBe(3);
  });
});

describe("GrpcContentAddressableStorage and the peer's limit", () => {
  test.each([
    [65_536 - 128, "batchUpdateBlobs"],
    [65_536, "write"],
    [65_537, "write"],
  ])(
    "GrpcContentAddressableStorage sends %d bytes by %s",
    async (size, how) => {
      const { cas, calls } = await setupFaulty();
      await cas.write(randomBytes(size), context);
      expect(calls.get(how)).toBe(1);
    },
  );

  test("GrpcContentAddressableStorage gathers the requests of concurrent callers", async () => {
    const { cas, calls } = await setupFaulty();
    const blobs = Array.from({ length: 100 }, () => randomBytes(100));
    const digests = await Promise.all(
      blobs.map((data) => cas.write(data, context)),
    );
    await Promise.all(digests.map((digest) => cas.read(digest, context)));
    await Promise.all(
      digests.map((digest) => cas.findMissing([digest], context)),
    );
    expect(Object.fromEntries(calls)).toEqual({
      getCapabilities: 1,
      batchUpdateBlobs: 1,
      batchReadBlobs: 1,
      findMissingBlobs: 1,
    });
  });

  test("GrpcContentAddressableStorage asks for 2,500 digests in three calls", async () => {
    const { cas, calls } = await setupFaulty();
    const digests = Array.from({ length: 2_500 }, () =>
      Digest.of(randomBytes(8)),
    );
    expect(await cas.findMissing(digests, context)).toHaveLength(2_500);
    expect(calls.get("findMissingBlobs")).toBe(3);
  });
});

test("GrpcContentAddressableStorage says Unavailable, in time, when nobody listens", async () => {
  const clients = createGrpcCasClients({ address: "127.0.0.1:1" });
  stops.push(async () => clients.close());
  const cas = new GrpcContentAddressableStorage(clients, {
    retry: { initialDelayMs: 1, timeoutMs: 100 },
  });
  await expect(
    cas.read(Digest.of(Buffer.from("x")), context),
  ).rejects.toMatchObject({ code: Code.Unavailable });
});

test("GrpcContentAddressableStorage leaves a wait when the signal says so", async () => {
  const { cas, faults } = await setupFaulty();
  const data = Buffer.from("never");
  faults.set(Digest.of(data).key, { type: "status", code: Code.Unavailable });
  const signal = AbortSignal.timeout(30);
  await expect(cas.write(data, { ...context, signal })).rejects.toMatchObject({
    code: Code.DeadlineExceeded,
  });
});
