import { expect, test } from "@jest/globals";
import { Code, StatusError } from "../status/index.js";
import { type BatchOutcome, createBatcher } from "./batcher.js";

/** A batcher whose calls end when the test says so. */
function setupBatcher(limits: {
  maximumSize?: number;
  maximumItems?: number;
  maximumInFlight?: number;
  gatherMs?: number;
}) {
  const calls: {
    items: readonly string[];
    signal: AbortSignal;
    end(outcomes?: readonly BatchOutcome<string>[]): void;
  }[] = [];
  const batcher = createBatcher<string, string>({
    maximumSize: 100,
    maximumItems: 100,
    maximumInFlight: 1,
    ...limits,
    sizeOf: (item) => item.length,
    send: (items, signal) =>
      new Promise((resolve) => {
        const end = (outcomes?: readonly BatchOutcome<string>[]) =>
          resolve(outcomes ?? items.map((item) => ({ value: `${item}!` })));
        calls.push({ items, signal, end });
      }),
  });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { batcher, calls, turn };
}

test("createBatcher() sends what one turn brought in one call", async () => {
  const { batcher, calls, turn } = setupBatcher({});
  const results = Promise.all(["a", "b", "a"].map((item) => batcher.add(item)));
  await turn();
  expect(calls.map(({ items }) => items)).toEqual([["a", "b", "a"]]);
  calls[0]?.end();
  expect(await results).toEqual(["a!", "b!", "a!"]);
});

test("createBatcher() gathers while as many calls as allowed are under way", async () => {
  const { batcher, calls, turn } = setupBatcher({});
  const first = batcher.add("a");
  await turn();
  const later = [batcher.add("b")];
  await turn();
  later.push(batcher.add("c"));
  await turn();
  expect(calls).toHaveLength(1);
  calls[0]?.end();
  await first;
  await turn();
  expect(calls[1]?.items).toEqual(["b", "c"]);
  calls[1]?.end();
  expect(await Promise.all(later)).toEqual(["b!", "c!"]);
});

test("createBatcher() gathers from one call to the next for as long as it is told", async () => {
  const { batcher, calls, turn } = setupBatcher({
    ...{ gatherMs: 50, maximumInFlight: 2 },
  });
  const results = [batcher.add("a")];
  await turn();
  const start = performance.now();
  expect(calls.map(({ items }) => items)).toEqual([["a"]]); // at once
  for (const item of ["b", "c"]) {
    results.push(batcher.add(item));
    await turn();
  }
  while (calls.length < 2) await turn();
  expect(performance.now() - start).toBeGreaterThan(40);
  expect(calls[1]?.items).toEqual(["b", "c"]);
  for (const call of calls) call.end();
  expect(await Promise.all(results)).toEqual(["a!", "b!", "c!"]);
});

test("createBatcher() keeps the bounds, and sends what is larger alone", async () => {
  const { batcher, calls, turn } = setupBatcher({
    maximumSize: 5,
    maximumItems: 3,
    maximumInFlight: 9,
  });
  for (const item of ["aaa", "bb", "c", "1", "2", "3", "longest", "d"]) {
    void batcher.add(item);
  }
  await turn();
  expect(calls.map(({ items }) => items)).toEqual([
    ["aaa", "bb"],
    ["c", "1", "2"],
    ["3"],
    ["longest"],
    ["d"],
  ]);
});

test("createBatcher() gives each item its own outcome", async () => {
  const { batcher, calls, turn } = setupBatcher({});
  const error = new StatusError(Code.NotFound, "no b");
  const settled = Promise.allSettled(
    ["a", "b", "c"].map((item) => batcher.add(item)),
  );
  await turn();
  calls[0]?.end([{ value: "A" }, { error }]);
  expect(await settled).toEqual([
    { status: "fulfilled", value: "A" },
    { status: "rejected", reason: error },
    {
      status: "rejected",
      reason: new RangeError("A batch gave fewer outcomes than items"),
    },
  ]);
});

test("createBatcher() cancels a call when all of its callers gave up", async () => {
  const { batcher, calls, turn } = setupBatcher({});
  const controllers = [new AbortController(), new AbortController()];
  const settled = Promise.allSettled(
    controllers.map(({ signal }, index) => batcher.add(`${index}`, signal)),
  );
  await turn();
  controllers[0]?.abort();
  expect(calls[0]?.signal.aborted).toBe(false);
  controllers[1]?.abort();
  expect(calls[0]?.signal.aborted).toBe(true);
  expect(await settled).toMatchObject([
    { status: "rejected", reason: { code: Code.Cancelled } },
    { status: "rejected", reason: { code: Code.Cancelled } },
  ]);
});

test("createBatcher() does not send what was given up before its turn", async () => {
  const { batcher, calls, turn } = setupBatcher({});
  const controller = new AbortController();
  const given = batcher.add("a", controller.signal);
  controller.abort();
  await expect(given).rejects.toMatchObject({ code: Code.Cancelled });
  await turn();
  expect(calls).toHaveLength(0);
});
