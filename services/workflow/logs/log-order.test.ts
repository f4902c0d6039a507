import { beforeEach, describe, expect, test } from "@jest/globals";
import type { Job } from "../model/job.js";
import type { StepState } from "../model/step.js";
import { SqliteJobStore } from "../store/sqlite/sqlite-job-store.js";
import type { JobSnapshot } from "../workflow.js";
import { LogOrder } from "./log-order.js";

const id = "51E0E756-A6B4-4CC7-87BD-364970C2268C";
const never = new AbortController().signal;

let store: SqliteJobStore;
/** What was written so far, by "step/stream". */
let written: Map<string, Buffer>;
let states: Record<string, StepState["kind"]>;
let jobState: Job["state"];
let bytesRead: number;
let order: LogOrder;

beforeEach(async () => {
  store = new SqliteJobStore({ path: ":memory:", sink: () => {} });
  written = new Map();
  states = { a: "running", b: "waiting" };
  jobState = { kind: "running" };
  bytesRead = 0;
  await store.create(snapshot().job);
  order = new LogOrder(
    store,
    async function* (_, { step, stream, offset, limit }) {
      const data = written.get(`${step}/${stream}`) ?? Buffer.alloc(0);
      const end = limit === undefined ? data.length : offset + limit;
      for (let at = offset; at < Math.min(end, data.length); at += 500_000) {
        const piece = data.subarray(at, Math.min(at + 500_000, end));
        bytesRead += piece.length;
        yield piece;
      }
    },
  );
});

function snapshot(): JobSnapshot {
  const steps = Object.entries(states).map(([name, kind]) => ({
    specification: { name },
    attempts: 1,
    state: { kind, at: 0, since: 0, result: undefined },
  }));
  const job = {
    id,
    tenant: "",
    labels: {},
    createdAt: 0,
    startedAt: 0,
    state: jobState,
    steps,
    pastRuns: [],
    isHidden: false,
  };
  return { job: job as unknown as Job, live: new Map() }; // only names and states are looked at
}

function write(stream: string, text: string | Buffer): void {
  const before = written.get(stream) ?? Buffer.alloc(0);
  written.set(stream, Buffer.concat([before, Buffer.from(text)]));
}

const lines = (index: number, limit = 1_000) =>
  order.lines(async () => snapshot(), { index, limit }, never);

describe("LogOrder", () => {
  test("gives what has ended as stdout, then stderr, step by step", async () => {
    states = { a: "succeeded", b: "succeeded" };
    jobState = { kind: "succeeded", at: 0 };
    write("a/stdout", "1\n2\n");
    write("a/stderr", "wrong\n");
    write("b/stdout", "3\nno newline");
    expect(await lines(0)).toEqual(["1", "2", "wrong", "3", "no newline"]);
    expect(await lines(3)).toEqual(["3", "no newline"]);
    expect(await lines(1, 2)).toEqual(["2", "wrong"]);
    expect(await lines(5)).toEqual([]);
    expect(await lines(500)).toEqual([]);
  });

  test("keeps the order in which lines were first asked for", async () => {
    write("a/stdout", "1\nhal");
    write("a/stderr", "wrong\n");
    expect(await lines(0)).toEqual(["1", "wrong"]);
    write("a/stdout", "f\n2\n");
    expect(await lines(2)).toEqual(["half", "2"]);
    states = { a: "succeeded", b: "running" };
    write("b/stdout", "3\n");
    expect(await lines(0)).toEqual(["1", "wrong", "half", "2", "3"]);
  });

  test("gives nothing of a step before the one that runs has ended", async () => {
    states = { a: "running", b: "running" };
    write("b/stdout", "later\n");
    write("a/stdout", "1\n");
    expect(await lines(0)).toEqual(["1"]);
    states = { a: "succeeded", b: "running" };
    expect(await lines(1)).toEqual(["later"]);
  });

  test("ends with why a job failed that its programs do not tell", async () => {
    states = { a: "failed", b: "skipped" };
    const reason = { code: "UNAVAILABLE", text: "The engine is away" };
    jobState = { kind: "failed", at: 0, reason };
    write("a/stdout", "1\n");
    expect(await lines(0)).toEqual(["1", "berth: The engine is away"]);
    expect(await lines(1)).toEqual(["berth: The engine is away"]);
    expect(await lines(2)).toEqual([]);
  });

  test("answers equally to readers at the same time", async () => {
    write("a/stdout", "1\n2\n");
    write("a/stderr", "x\n");
    const answers = await Promise.all([lines(0), lines(0), lines(0)]);
    expect(new Set(answers.map(String)).size).toBe(1);
    expect(await store.logOrder(id)).toHaveLength(2);
  });

  test("breaks lines that are too long, and keeps odd bytes countable", async () => {
    states = { a: "succeeded", b: "skipped" };
    write(
      "a/stdout",
      Buffer.concat([Buffer.alloc(150_000, "x"), Buffer.from([0xff, 0, 0x0a])]),
    );
    const found = await lines(0);
    expect(found.map((line) => line.length)).toEqual([65_536, 65_536, 18_930]);
    expect(found[2]).toMatch(/x\ufffd\0$/);
  });

  test("reads a part of a large log for a part of its lines", async () => {
    states = { a: "succeeded", b: "skipped" };
    const line = `${"y".repeat(99)}\n`;
    write("a/stdout", line.repeat(100_000)); // 10 MB
    await lines(0, 1);
    await lines(90_000, 10); // settles the order up to there
    bytesRead = 0;
    expect(await lines(50_000, 3)).toHaveLength(3);
    expect(bytesRead).toBeLessThan(2_500_000);
  });

  test("reads no more than an answer has room for", async () => {
    states = { a: "failed", b: "skipped" };
    const reason = { code: "UNAVAILABLE", text: "The engine is away" };
    jobState = { kind: "failed", at: 0, reason };
    const line = `${"z".repeat(9_999)}\n`;
    write("a/stdout", line.repeat(3_000)); // 30 MB
    const first = await lines(0, 100_000);
    expect(first).toHaveLength(Math.ceil(2 ** 23 / line.length));
    expect(bytesRead).toBeLessThan(21e6); // 10 MB, for the order and the lines
    const all = [...first];
    for (let more = first; more.length > 0; all.push(...more)) {
      more = await lines(all.length, 100_000);
    }
    expect(all).toHaveLength(3_001);
    expect(all.at(-1)).toBe("berth: The engine is away");
  });

  test("gives lines of a log that has a great many of them", async () => {
    states = { a: "succeeded", b: "skipped" };
    write("a/stdout", "\n".repeat(1_500_000));
    expect(await lines(0, 100_000)).toHaveLength(100_000);
    expect(await lines(1_400_001, 100_000)).toHaveLength(99_999);
    expect(await lines(1_048_570, 10)).toEqual(Array(10).fill(""));
  });
});
