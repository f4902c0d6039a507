import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Code, StatusError } from "../../lib/status/index.js";
import type { Job } from "../../services/workflow/model/job.js";
import type {
  JobQuery,
  JobStore,
  LogSegment,
} from "../../services/workflow/store/job-store.js";
import { newStoredJob } from "../fixtures/stored-job.js";

/** A store under test, and what is done to it from outside. */
export interface JobStoreUnderTest {
  readonly store: JobStore;
  /** What the sink was told. */
  readonly errors: unknown[];
  /** Another store over the same data, after this one was closed. */
  reopen(): Promise<JobStore>;
  /** Writes other bytes into a job's record. */
  damage(id: string, record: Buffer): Promise<void>;
  /** Records that were set aside, by id. */
  setAside(): Promise<Map<string, { record: Buffer; reason: string }>>;
  stop(): Promise<void>;
}

const failedAt = (at: number) =>
  ({
    kind: "failed",
    at,
    reason: { code: "TIMEOUT", text: "Too long" },
  }) as const;
const running = { kind: "running" } as const;

function segment(step: number, from: number): LogSegment {
  return { step, run: 0, stream: "stdout", from, to: from + 10, lines: 1 };
}

/** What every JobStore promises, proved for one of them. */
export function describeJobStore(
  name: string,
  start: () => Promise<JobStoreUnderTest>,
): void {
  let subject: JobStoreUnderTest;
  let store: JobStore;

  const add = async (changes: Partial<Job> = {}) => {
    const job = newStoredJob(changes);
    expect(await store.create(job)).toEqual({ kind: "created" });
    return job;
  };
  const listIds = async (query: Partial<JobQuery> = {}) => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list({ tenant: "", limit: 2, ...query, cursor });
      expect(page.jobs.length).toBeLessThanOrEqual(query.limit ?? 2);
      ids.push(...page.jobs.map(({ job }) => job.id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return ids;
  };
  const unfinishedIds = async () => {
    const ids: string[] = [];
    for await (const { job } of store.unfinished()) ids.push(job.id);
    return ids;
  };

  describe(name, () => {
    beforeEach(async () => {
      subject = await start();
      store = subject.store;
    });
    afterEach(() => subject.stop());

    test(`${name} gives back jobs as they were written`, async () => {
      const job = await add({
        name: "n\u0000\u00e9",
        labels: { a: "1", "b c": "" },
      });
      expect(await store.get(job.id)).toEqual({ job, version: 1 });
      const next: Job = { ...job, state: running };
      expect(await store.update(next, 1)).toBe(2);
      expect(await store.get(job.id)).toEqual({ job: next, version: 2 });
      expect(await store.get(newStoredJob().id)).toBeUndefined();
      await store.close();
      store = await subject.reopen();
      expect(await store.get(job.id)).toEqual({ job: next, version: 2 });
      await store.check();
    });

    test(`${name} lets one of many updates of a version win`, async () => {
      const job = await add();
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, at) =>
          store.update({ ...job, startedAt: at }, 1),
        ),
      );
      expect(results.filter(({ status }) => status === "fulfilled")).toEqual([
        { status: "fulfilled", value: 2 },
      ]);
      for (const result of results) {
        if (result.status === "fulfilled") continue;
        expect(result.reason).toEqual(
          new StatusError(
            Code.Aborted,
            `Job "${job.id}" was changed by someone else: its version is 2, not 1`,
          ),
        );
      }
      const unknown = newStoredJob();
      await expect(store.update(unknown, 1)).rejects.toEqual(
        new StatusError(Code.NotFound, `There is no job "${unknown.id}"`),
      );
    });

    test(`${name} takes repeated writes once`, async () => {
      const job = await add();
      expect(await store.create(job)).toEqual({ kind: "created" });
      const other = newStoredJob({ id: job.id, name: "other" });
      await expect(store.create(other)).rejects.toEqual(
        new StatusError(
          Code.AlreadyExists,
          `There is another job "${job.id}" already`,
        ),
      );
      const next: Job = { ...job, state: running };
      expect(await store.update(next, 1)).toBe(2);
      expect(await store.update(next, 1)).toBe(2);
      expect(await store.get(job.id)).toEqual({ job: next, version: 2 });
    });

    test(`${name} creates one job for an idempotency key`, async () => {
      const key = { key: "k", fingerprint: "f" };
      const jobs = Array.from({ length: 10 }, () => newStoredJob());
      const creations = await Promise.all(
        jobs.map((job) => store.create(job, key)),
      );
      const created = jobs.filter((_, at) => creations[at]?.kind === "created");
      expect(created).toHaveLength(1);
      const [job] = created;
      const existing = { kind: "existing", jobId: job?.id, fingerprint: "f" };
      expect(creations.filter(({ kind }) => kind === "existing")).toEqual(
        Array(9).fill(existing),
      );
      const use = { jobId: job?.id, fingerprint: "f" };
      expect(await store.findKey("", "k")).toEqual(use);
      expect(await store.findKey("", "l")).toBeUndefined();
      expect(await store.findKey("t", "k")).toBeUndefined();
      const again = { key: "k", fingerprint: "g" };
      expect(await store.create(newStoredJob(), again)).toEqual(existing);
      const stranger = newStoredJob({ tenant: "t" });
      expect(await store.create(stranger, key)).toEqual({ kind: "created" });
      expect(await listIds()).toEqual([job?.id]);
      // It goes with its job, and not with another's.
      expect(await store.delete(stranger.id)).toBe(true);
      expect(await store.create(newStoredJob(), key)).toEqual(existing);
      expect(await store.delete(job?.id ?? "")).toBe(true);
      expect(await store.create(newStoredJob(), key)).toEqual({
        kind: "created",
      });
    });

    test(`${name} lists the newest first, in pages that stay`, async () => {
      const jobs: Job[] = [];
      for (const createdAt of [5, 20, 20, 20, 3_000_000_000_000]) {
        jobs.push(await add({ createdAt }));
      }
      const order = [...jobs]
        .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
        .map(({ id }) => id);
      const first = await store.list({ tenant: "", limit: 2 });
      expect(first.jobs.map(({ job }) => job.id)).toEqual(order.slice(0, 2));
      await add({ createdAt: 3_000_000_000_001 });
      await store.delete(first.jobs[1]?.job.id ?? "");
      const { cursor } = first;
      const second = await store.list({ tenant: "", limit: 3, cursor });
      expect(second.jobs.map(({ job }) => job.id)).toEqual(order.slice(2));
      expect(second.cursor).toBeUndefined();
      expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
    });

    test(`${name} refuses cursors that no list gave`, async () => {
      await add();
      await add();
      const { cursor = "" } = await store.list({ tenant: "", limit: 1 });
      const wrong = ["", "a", "*", `${cursor}A`, `${cursor}=`, cursor.slice(1)];
      for (const cursor of wrong) {
        await expect(
          store.list({ tenant: "", limit: 1, cursor }),
        ).rejects.toEqual(
          new StatusError(
            Code.InvalidArgument,
            "The cursor must be one that a list of jobs gave",
          ),
        );
      }
    });

    test(`${name} lists by tenant, state, name and labels`, async () => {
      const a = await add({ createdAt: 1, name: "x", labels: { p: "1" } });
      const b = await add({ createdAt: 2, labels: { p: "1", 'q"': "\u00e9" } });
      const c = await add({ createdAt: 3, name: "x", state: failedAt(9) });
      const d = await add({ createdAt: 4, labels: { p: "2" }, state: running });
      const hidden = await add({ createdAt: 5, labels: { p: "1" } });
      await store.update({ ...hidden, isHidden: true }, 1);
      const e = await add({ createdAt: 6, tenant: "t", labels: { p: "1" } });
      const ids = (...jobs: Job[]) => jobs.map(({ id }) => id);
      expect(await listIds()).toEqual(ids(d, c, b, a));
      expect(await listIds({ tenant: "t" })).toEqual(ids(e));
      expect(await listIds({ tenant: "u" })).toEqual([]);
      expect(await listIds({ name: "x" })).toEqual(ids(c, a));
      expect(await listIds({ name: "" })).toEqual([]);
      expect(await listIds({ states: ["failed", "running"] })).toEqual(
        ids(d, c),
      );
      expect(await listIds({ states: [] })).toEqual([]);
      expect(await listIds({ labels: { p: "1" } })).toEqual(ids(b, a));
      expect(await listIds({ labels: { p: "1" }, limit: 1 })).toEqual(
        ids(b, a),
      );
      expect(await listIds({ labels: { p: "1", 'q"': "\u00e9" } })).toEqual(
        ids(b),
      );
      expect(await listIds({ labels: { r: "" } })).toEqual([]);
      expect(
        await listIds({ labels: { p: "1" }, name: "x", states: ["preparing"] }),
      ).toEqual(ids(a));
      await store.update({ ...a, state: running }, 1);
      expect(await listIds({ states: ["running"] })).toEqual(ids(d, a));
    });

    test(`${name} gives what has not ended, the oldest first`, async () => {
      const old = await add({ createdAt: 1 });
      const young = await add({ createdAt: 300, tenant: "t" });
      const many: Job[] = [];
      for (let at = 100; at < 250; at += 1) {
        many.push(newStoredJob({ createdAt: at }));
      }
      await Promise.all(many.map((job) => store.create(job)));
      const hidden = { ...old, isHidden: true };
      await store.update(hidden, 1);
      const [first, second, ...rest] = many.map(({ id }) => id);
      const ended = { ...newStoredJob(), ...many[0], state: failedAt(7) };
      await store.update(ended, 1);
      await store.delete(second ?? "");
      expect(await unfinishedIds()).toEqual([old.id, ...rest, young.id]);
      expect(await store.countUnfinished("")).toBe(149);
      expect(await store.countUnfinished("t")).toBe(1);
      expect(await store.countUnfinished("u")).toBe(0);
      expect(await store.get(old.id)).toEqual({ job: hidden, version: 2 });
      // Retried: it is unfinished again.
      await store.update({ ...ended, state: { kind: "preparing" } }, 2);
      expect(await unfinishedIds()).toContain(first);
      expect(await store.countUnfinished("")).toBe(150);
    });

    test(`${name} removes jobs that ended long ago`, async () => {
      const key = { key: "k", fingerprint: "f" };
      const jobs: Job[] = [];
      for (const at of [30, 10, 20, 40]) {
        const job = newStoredJob({ createdAt: at, labels: { a: "b" } });
        await store.create(job, { ...key, key: String(at) });
        await store.update({ ...job, state: failedAt(at) }, 1);
        await store.appendLogOrder(job.id, 0, [segment(0, 0)]);
        jobs.push(job);
      }
      await add({ createdAt: 1 });
      const [a, b, c, d] = jobs.map(({ id }) => id);
      expect(await store.removeEnded(35, 2)).toBe(2);
      expect(await listIds({ labels: { a: "b" } })).toEqual([d, a]);
      expect(await store.get(b ?? "")).toBeUndefined();
      expect(await store.logOrder(c ?? "")).toEqual([]);
      expect(await store.create(newStoredJob(), { ...key, key: "20" })).toEqual(
        { kind: "created" },
      );
      expect(await store.removeEnded(40, 10)).toBe(1);
      expect(await store.removeEnded(40, 10)).toBe(0);
      expect(await store.delete(d ?? "")).toBe(true);
      expect(await store.delete(d ?? "")).toBe(false);
      expect(await listIds()).toHaveLength(2);
    });

    test(`${name} goes through many jobs`, async () => {
      const jobs = Array.from({ length: 1_250 }, (_, at) =>
        newStoredJob({
          createdAt: at,
          labels: at % 400 === 0 ? { rare: "yes" } : {},
          state: at < 250 ? failedAt(at) : running,
        }),
      );
      await Promise.all(jobs.map((job) => store.create(job)));
      const ids = jobs.map(({ id }) => id);
      const rare = [1_200, 800, 400, 0].map((at) => ids[at]);
      expect(await listIds({ labels: { rare: "yes" }, limit: 3 })).toEqual(
        rare,
      );
      expect(await listIds({ states: ["failed"], limit: 100 })).toEqual(
        ids.slice(0, 250).reverse(),
      );
      expect(await listIds({ limit: 1_000 })).toEqual(ids.toReversed());
      expect(await unfinishedIds()).toEqual(ids.slice(250));
      expect(await store.removeEnded(240, 1_000)).toBe(240);
      expect(await listIds({ states: ["failed"], limit: 100 })).toEqual(
        ids.slice(240, 250).reverse(),
      );
    });

    test(`${name} keeps the order of a log`, async () => {
      const { id } = await add();
      expect(await store.logOrder(id)).toEqual([]);
      await store.appendLogOrder(id, 0, [segment(0, 0), segment(1, 0)]);
      await store.appendLogOrder(id, 2, [segment(0, 10)]);
      await store.appendLogOrder(id, 2, [segment(0, 10)]);
      const order = [segment(0, 0), segment(1, 0), segment(0, 10)];
      expect(await store.logOrder(id)).toEqual(order);
      await expect(
        store.appendLogOrder(id, 4, [segment(2, 0)]),
      ).rejects.toEqual(
        new StatusError(
          Code.Aborted,
          `The log order of job "${id}" has 3 segments, not 4`,
        ),
      );
      await store.delete(id);
      await store.appendLogOrder(id, 3, [segment(1, 10)]);
      expect(await store.logOrder(id)).toEqual([]);
    });

    test(`${name} remembers what references mean`, async () => {
      expect(await store.pin("debian:12")).toBeUndefined();
      await store.setPin("debian:12", "sha256:a");
      await store.setPin("debian:12", "sha256:b");
      expect(await store.pin("debian:12")).toBe("sha256:b");
    });

    test(`${name} sets bad records aside, and goes on`, async () => {
      const good = [await add({ createdAt: 1 }), await add({ createdAt: 50 })];
      const envelope = (changes: object) =>
        Buffer.from(
          JSON.stringify({ format: 1, job: newStoredJob(), ...changes }),
        );
      const bad = new Map<string, Buffer>();
      const records = [
        Buffer.from([0xff, 0, 0x80, 0x7b, 0xfe]),
        Buffer.alloc(0),
        Buffer.from("[1]"),
        Buffer.from('{"format":"1","job":{}}'),
        envelope({ format: 999 }),
        envelope({ job: { id: "secret" } }),
        envelope({}), // another job's
      ];
      for (const record of records) {
        const { id } = await add({ createdAt: 20, labels: { l: "v" } });
        bad.set(id, record);
        await subject.damage(id, record);
      }
      const ids = good.map(({ id }) => id);
      expect(await listIds()).toEqual([...ids].reverse());
      expect(await unfinishedIds()).toEqual(ids);
      for (const id of bad.keys()) expect(await store.get(id)).toBeUndefined();
      expect(await store.countUnfinished("")).toBe(2);
      expect(store.setAsideCount).toBe(bad.size);
      const setAside = await subject.setAside();
      expect(subject.errors).toHaveLength(bad.size);
      for (const [id, record] of bad) {
        const { reason = "", record: kept } = setAside.get(id) ?? {};
        expect(kept?.equals(record)).toBe(true);
        expect(reason).not.toContain("secret");
        expect(subject.errors).toContainEqual(
          new StatusError(
            Code.DataLoss,
            `Job "${id}" was set aside, since its record cannot be read: ${reason}`,
          ),
        );
      }
      expect([...setAside.values()].map(({ reason }) => reason)).toContain(
        "Its format is 999, and this version of berth reads up to 1",
      );
      await store.close();
      store = await subject.reopen();
      expect(store.setAsideCount).toBe(bad.size);
      expect(await listIds()).toEqual([...ids].reverse());
      expect(subject.errors).toHaveLength(bad.size);
    });

    test(`${name} finds a bad record by each way of reading`, async () => {
      const ways: ((id: string) => Promise<unknown>)[] = [
        (id) => store.get(id),
        () => listIds(),
        () => unfinishedIds(),
      ];
      for (const read of ways) {
        const { id } = await add();
        await subject.damage(id, Buffer.from("}"));
        await Promise.all([read(id), read(id), read(id)]);
        expect([...(await subject.setAside()).keys()]).toContain(id);
      }
      expect(subject.errors).toHaveLength(ways.length);
    });

    test(`${name} takes nothing when it is closed`, async () => {
      await store.close();
      const closed = new StatusError(
        Code.Unavailable,
        "The job store is closed",
      );
      await expect(store.create(newStoredJob())).rejects.toEqual(closed);
      await expect(store.get("x")).rejects.toEqual(closed);
      await expect(store.check()).rejects.toEqual(closed);
      store = await subject.reopen(); // for stop()
      await store.close();
    });
  });
}
