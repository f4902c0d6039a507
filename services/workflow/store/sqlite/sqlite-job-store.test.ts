import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import type { ErrorSink } from "../../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../../lib/status/index.js";
import {
  findLost,
  startJobStoreWriter,
} from "../../../../test/fixtures/job-store-writer.js";
import { newStoredJob } from "../../../../test/fixtures/stored-job.js";
import {
  describeJobStore,
  type JobStoreUnderTest,
} from "../../../../test/suites/job-store-suite.js";
import type { JobStore } from "../job-store.js";
import { ThreadedJobStore } from "../thread/threaded-job-store.js";
import { SqliteJobStore } from "./sqlite-job-store.js";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "job-store-"));
  path = join(directory, "jobs.db");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function open(sink: (error: unknown) => void = () => {}): SqliteJobStore {
  return new SqliteJobStore({ path, sink });
}

function failedPrecondition(message: string) {
  const code = Code.FailedPrecondition;
  return expect.objectContaining({ code, message });
}

/** Runs SQL on the file, which no store has open. */
function onFile<Result>(run: (database: Database.Database) => Result): Result {
  const database = new Database(path);
  try {
    return run(database);
  } finally {
    database.close();
  }
}

/** The store, and one in a thread of its own, which must be the same. */
const openers: Record<string, (sink: ErrorSink) => Promise<JobStore>> = {
  SqliteJobStore: async (sink) => open(sink),
  ThreadedJobStore: (sink) => ThreadedJobStore.open({ path, sink }),
};

async function startStore(
  openStore: (sink: ErrorSink) => Promise<JobStore>,
): Promise<JobStoreUnderTest> {
  const errors: unknown[] = [];
  let store = await openStore((error) => errors.push(error));
  /** Runs SQL while the store is closed for it, since it locks the file. */
  const beside = async <Result>(
    run: (database: Database.Database) => Result,
  ): Promise<Result> => {
    await store.close();
    const result = onFile(run);
    store = await openStore((error) => errors.push(error));
    return result;
  };
  return {
    store: new Proxy(store, {
      get: (_, key) => {
        const value: unknown = Reflect.get(store, key, store);
        return typeof value === "function" ? value.bind(store) : value;
      },
    }),
    errors,
    reopen: async () => {
      store = await openStore((error) => errors.push(error));
      return store;
    },
    damage: (id, record) =>
      beside((database) => {
        database
          .prepare("UPDATE jobs SET record = CAST(? AS TEXT) WHERE id = ?")
          .run(record, id);
      }),
    setAside: () =>
      beside((database) => {
        const rows = database
          .prepare<[], { id: string; record: Buffer; reason: string }>(
            "SELECT id, CAST(record AS BLOB) record, reason FROM bad_records",
          )
          .all();
        return new Map(rows.map((row) => [row.id, row]));
      }),
    stop: () => store.close(),
  };
}

for (const [name, openStore] of Object.entries(openers)) {
  describeJobStore(name, () => startStore(openStore));
}

test("ThreadedJobStore says in whose way it is", async () => {
  const first = await ThreadedJobStore.open({ path, sink: () => {} });
  await expect(
    ThreadedJobStore.open({ path, sink: () => {} }),
  ).rejects.toMatchObject({ code: Code.FailedPrecondition });
  await first.close();
  await expect(first.get("x")).rejects.toMatchObject({
    code: Code.Unavailable,
    message: "The job store is closed",
  });
});

test("SqliteJobStore keeps its files from others", async () => {
  writeFileSync(path, "", { mode: 0o644 });
  const store = open();
  await store.create(newStoredJob());
  const modes = readdirSync(directory).map((name) => [
    name,
    statSync(join(directory, name)).mode & 0o777,
  ]);
  expect(modes).toEqual([
    ["jobs.db", 0o600],
    ["jobs.db-wal", 0o600],
  ]);
  await store.close();
});

test("SqliteJobStore works in memory alone", async () => {
  const store = new SqliteJobStore({ path: ":memory:", sink: () => {} });
  const job = newStoredJob();
  await store.create(job);
  expect(await store.get(job.id)).toEqual({ job, version: 1 });
  await store.close();
});

test("SqliteJobStore is used by one process at a time", async () => {
  const store = open();
  const text = `Job store "${path}" is in use by another process: one at a time may use it`;
  expect(() => open()).toThrow(failedPrecondition(text));
  const second = await startJobStoreWriter({ kind: "sqlite", path });
  expect(await second.failed).toContain(text);
  await store.close();
  const third = await startJobStoreWriter({ kind: "sqlite", path });
  expect(() => open()).toThrow(text);
  await third.kill();
  await open().close();
});

test("SqliteJobStore loses nothing that it acknowledged to a killed process", async () => {
  const acknowledged = new Map();
  for (let round = 0; round < 12; round += 1) {
    const writer = await startJobStoreWriter({ kind: "sqlite", path });
    await delay(Math.random() * 150); // any moment will do
    await writer.kill();
    for (const [id, state] of writer.acknowledged) acknowledged.set(id, state);
    const errors: unknown[] = [];
    const store = open((error) => errors.push(error));
    expect(await findLost(acknowledged, store)).toEqual([]);
    expect(errors).toEqual([]);
    await store.close();
  }
  expect(acknowledged.size).toBeGreaterThan(50);
});

test("SqliteJobStore is unavailable while the disk is full, and loses nothing", async () => {
  const mount = join(directory, "small");
  mkdirSync(mount);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", mount]);
  try {
    path = join(mount, "jobs.db");
    const ballast = join(mount, "ballast");
    writeFileSync(ballast, Buffer.alloc(1_000_000));
    const store = open();
    const stored: string[] = [];
    let failure: unknown;
    for (let round = 0; failure === undefined && round < 500; round += 1) {
      const jobs = Array.from({ length: 20 }, () => newStoredJob());
      const results = await Promise.allSettled(
        jobs.map((job) => store.create(job)),
      );
      results.forEach((result, at) => {
        if (result.status === "rejected") failure = result.reason;
        else stored.push(jobs[at]?.id ?? "");
      });
    }
    expect(failure).toEqual(
      new StatusError(
        Code.Unavailable,
        "Failed to use the job store: database or disk is full",
      ),
    );
    await expect(async () => {
      for (;;) await store.check();
    }).rejects.toMatchObject({ code: Code.Unavailable });
    for (const id of stored) expect(await store.get(id)).toBeDefined();
    rmSync(ballast);
    await store.check();
    const job = newStoredJob();
    await store.create(job);
    await store.close();
    const again = open();
    for (const id of [...stored, job.id]) {
      expect(await again.get(id)).toBeDefined();
    }
    await again.close();
  } finally {
    execFileSync("umount", [mount]);
  }
});

test("SqliteJobStore refuses a file of a newer version, and leaves it", async () => {
  await open().close();
  onFile((database) => database.pragma("user_version = 999"));
  const before = readFileSync(path);
  expect(() => open()).toThrow(
    failedPrecondition(
      `Failed to open job store "${path}": It was written by a newer version of berth: its version is 999, and this one knows up to 1`,
    ),
  );
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("SqliteJobStore refuses a file that is none of ours", async () => {
  onFile((database) => database.exec("CREATE TABLE t (a)"));
  expect(() => open()).toThrow(
    failedPrecondition(
      `Failed to open job store "${path}": It holds the data of another program`,
    ),
  );
  writeFileSync(path, "no database, but a text that is long enough".repeat(99));
  expect(() => open()).toThrow(
    expect.objectContaining({ code: Code.DataLoss }),
  );
  path = join(directory, "missing", "jobs.db");
  expect(() => open()).toThrow(
    expect.objectContaining({ code: Code.NotFound }),
  );
});

test("SqliteJobStore says DataLoss for a damaged file", async () => {
  const store = open();
  const jobs = Array.from({ length: 200 }, () => newStoredJob());
  await Promise.all(jobs.map((job) => store.create(job)));
  await store.close();
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 4096 * 2);
  writeFileSync(path, bytes);
  const damaged = async () => {
    const again = open();
    try {
      await again.list({ tenant: "", limit: 500 });
    } finally {
      await again.close();
    }
  };
  await expect(damaged()).rejects.toMatchObject({ code: Code.DataLoss });
});
