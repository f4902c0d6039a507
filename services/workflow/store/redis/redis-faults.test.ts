// Proves what a RedisJobStore does when Redis, or a process, goes away.
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Code, StatusError } from "../../../../lib/status/index.js";
import { eventually } from "../../../../test/fixtures/eventually.js";
import {
  findLost,
  type JobStoreWriter,
  startJobStoreWriter,
} from "../../../../test/fixtures/job-store-writer.js";
import { RedisServerProcess } from "../../../../test/fixtures/redis-server.js";
import { newStoredJob } from "../../../../test/fixtures/stored-job.js";
import { RedisJobStore } from "./redis-job-store.js";

const prefix = "berth:";
const unavailable = expect.objectContaining({ code: Code.Unavailable });
let server: RedisServerProcess;
let errors: unknown[];
let stores: RedisJobStore[];

beforeEach(() => {
  errors = [];
  stores = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  await server.stop();
});

async function startServer(...settings: string[]): Promise<void> {
  server = await RedisServerProcess.start("--appendonly", "yes", ...settings);
}

/** A store whose lease ends soon, so that nobody waits for long. */
async function open(): Promise<RedisJobStore> {
  const store = await RedisJobStore.open({
    server: { url: server.url },
    prefix,
    sink: (error) => errors.push(error),
    callTimeoutMs: 500,
    leaseMs: 1_000,
  });
  stores.push(store);
  return store;
}

function startWriter(): Promise<JobStoreWriter> {
  return startJobStoreWriter({ kind: "redis", url: server.url, prefix });
}

/** Runs a command of Redis beside the store. */
async function beside(...[name, ...rest]: [string, ...string[]]) {
  const client = server.client();
  try {
    return await client.call(name, ...rest);
  } finally {
    client.disconnect();
  }
}

test("RedisJobStore is used by one process at a time", async () => {
  await startServer();
  const store = await open();
  const message = expect.stringMatching(
    /^Failed to open job store "unix:.*": It is in use by another process, and one at a time may use it: ".* process \d+"$/,
  );
  const code = Code.FailedPrecondition;
  await expect(open()).rejects.toEqual(
    expect.objectContaining({ code, message }),
  );
  const writer = await startWriter();
  expect(await writer.failed).toContain("It is in use by another process");
  // A prefix of its own is a store of its own.
  const other = await RedisJobStore.open({
    server: { url: server.url },
    prefix: "other:",
    sink: () => {},
  });
  const job = newStoredJob();
  await store.create(job);
  expect(await other.get(job.id)).toBeUndefined();
  await other.close();
  await store.close();
  expect(await (await open()).get(job.id)).toEqual({ job, version: 1 });
});

test("RedisJobStore loses nothing that it acknowledged to a killed process", async () => {
  await startServer("--appendfsync", "everysec");
  const acknowledged = new Map();
  for (let round = 0; round < 3; round += 1) {
    const writer = await startWriter();
    await delay(Math.random() * 200); // any moment will do
    await writer.kill();
    for (const [id, state] of writer.acknowledged) acknowledged.set(id, state);
    await beside("del", `${prefix}lease`); // spares the wait for its end
    const store = await open();
    expect(await findLost(acknowledged, store)).toEqual([]);
    await store.close();
  }
  expect(acknowledged.size).toBeGreaterThan(50);
  expect(errors).toEqual([]);
});

test("RedisJobStore waits for the lease of a killed process to end", async () => {
  await startServer();
  await beside("set", `${prefix}lease`, "host process 1 x", "px", "700");
  const started = performance.now();
  const store = await open();
  expect(performance.now() - started).toBeGreaterThan(600);
  await store.check();
});

test("RedisJobStore loses nothing that it acknowledged to a killed server", async () => {
  await startServer("--appendfsync", "always");
  const acknowledged = new Map<string, { version: number; segments: number }>();
  const store = await open();
  let isDone = false;
  const write = async () => {
    while (!isDone) {
      const job = newStoredJob();
      try {
        await store.create(job);
        acknowledged.set(job.id, { version: 1, segments: 0 });
        await store.update({ ...job, startedAt: 1 }, 1);
        acknowledged.set(job.id, { version: 2, segments: 0 });
      } catch (error) {
        expect(error).toEqual(unavailable);
        await delay(5); // or the loop would let nothing else run
      }
    }
  };
  const writers = Promise.all(Array.from({ length: 8 }, write));
  for (let round = 0; round < 8; round += 1) {
    await delay(Math.random() * 100); // any moment will do
    await server.kill();
    await server.restart();
    const { size } = acknowledged;
    await eventually(() => expect(acknowledged.size).toBeGreaterThan(size + 8));
  }
  isDone = true;
  await writers;
  expect(await findLost(acknowledged, store)).toEqual([]);
});

test("RedisJobStore is unavailable while Redis is away, and says so once", async () => {
  await startServer("--appendfsync", "always");
  const store = await open();
  const job = newStoredJob();
  await store.create(job);
  await server.kill();
  await eventually(() => expect(errors).toEqual([unavailable]));
  for (const call of [
    () => store.get(job.id),
    () => store.create(newStoredJob()),
    () => store.list({ tenant: "", limit: 1 }),
    () => store.check(),
  ]) {
    const started = performance.now();
    await expect(call()).rejects.toEqual(unavailable);
    expect(performance.now() - started).toBeLessThan(1_000);
  }
  await delay(1_200); // the lease has ended when Redis comes back
  await server.restart();
  await eventually(() => store.check());
  expect(await store.get(job.id)).toEqual({ job, version: 1 });
  await expect(open()).rejects.toMatchObject({ code: Code.FailedPrecondition });
  expect(errors).toHaveLength(1);
});

test("RedisJobStore bounds calls to a Redis that does not answer", async () => {
  await startServer();
  const store = await open();
  server.freeze();
  const started = performance.now();
  await expect(store.create(newStoredJob())).rejects.toEqual(
    new StatusError(
      Code.Unavailable,
      "Failed to use the job store: Command timed out",
    ),
  );
  expect(performance.now() - started).toBeLessThan(2_000);
  await eventually(() => expect(errors).toEqual([unavailable]));
  server.thaw();
  await eventually(() => store.check());
});

test("RedisJobStore does nothing while another has its lease", async () => {
  await startServer();
  const store = await open();
  const job = newStoredJob();
  await store.create(job);
  await beside("set", `${prefix}lease`, "host process 1 x", "px", "2000");
  // It does not know yet; Redis does.
  await expect(store.update(job, 1)).rejects.toEqual(unavailable);
  await eventually(() =>
    expect(errors).toEqual([
      expect.objectContaining({
        code: Code.Unavailable,
        message:
          'Failed to renew the lease on the job store: Another process has taken the job store: "host process 1"',
      }),
    ]),
  );
  await expect(store.get(job.id)).rejects.toEqual(unavailable);
  await eventually(() => store.check());
  expect(await store.update(job, 1)).toBe(2);
});

test("RedisJobStore tells when Redis does not keep what it is told", async () => {
  await startServer(
    ...["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"],
  );
  const store = await open();
  const texts = [
    "Redis keeps no append-only file, so that jobs are lost when it ends: set appendonly to yes",
    "Redis may evict jobs when its memory is full: set maxmemory-policy to noeviction",
  ];
  expect(errors).toEqual(
    texts.map((text) => new StatusError(Code.FailedPrecondition, text)),
  );
  await server.kill();
  await server.restart();
  await eventually(() =>
    expect(errors).toContainEqual(
      new StatusError(
        Code.DataLoss,
        "Redis came back without the jobs that it had",
      ),
    ),
  );
  await eventually(() => store.check());
});

test("RedisJobStore is unavailable while Redis is out of memory", async () => {
  await startServer();
  const store = await open();
  const job = newStoredJob();
  await store.create(job);
  await beside("config", "set", "maxmemory", "1");
  await expect(store.create(newStoredJob())).rejects.toEqual(unavailable);
  await expect(store.check()).rejects.toEqual(unavailable);
  await beside("config", "set", "maxmemory", "0");
  await eventually(() => store.check());
  expect(await store.get(job.id)).toEqual({ job, version: 1 });
});

test("RedisJobStore refuses the data of a newer version", async () => {
  await startServer();
  await (await open()).close();
  await beside("set", `${prefix}schema`, "999");
  await expect(open()).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: `Failed to open job store "${server.url}": It was written by a newer version of berth: its version is 999, and this one knows up to 1`,
  });
});

test("RedisJobStore says DataLoss for a log's order that is none", async () => {
  await startServer();
  const store = await open();
  const job = newStoredJob();
  await store.create(job);
  await beside("rpush", `${prefix}log:${job.id}`, '{"step":0}');
  await expect(store.logOrder(job.id)).rejects.toMatchObject({
    code: Code.DataLoss,
  });
});

test("RedisJobStore.open() ends when Redis is away", async () => {
  await startServer();
  await server.kill();
  await expect(open()).rejects.toEqual(unavailable);
});
