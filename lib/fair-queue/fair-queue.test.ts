import { expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { FairQueue } from "./fair-queue.js";

const never = new AbortController().signal;

/** A queue whose work ends when the test says so; starts are written down. */
function setupQueue(slots: number, maximumLength?: number) {
  const queue = new FairQueue(slots, maximumLength);
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const add = (name: string, signal = never) =>
    queue.run(
      name.charAt(0),
      (slot) =>
        new Promise<number>((resolve) => {
          started.push(name);
          ends.set(name, () => resolve(slot));
        }),
      signal,
    );
  const end = async (name: string) => {
    ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, started, add, end };
}

test("FairQueue lets keys take turns, whatever their numbers are", async () => {
  const { queue, started, add, end } = setupQueue(1);
  for (const name of ["a1", "a2", "a3", "a4", "b1", "c1", "b2"]) void add(name);
  await end("");
  expect(queue.length).toBe(6);
  while (queue.length > 0) await end(started.at(-1) ?? "");
  expect(started).toEqual(["a1", "a2", "b1", "c1", "a3", "b2", "a4"]);
});

test("FairQueue gives each slot to one at a time, and again", async () => {
  const { started, add, end } = setupQueue(2);
  const slots = ["a", "b", "c"].map((name) => add(name));
  await end("");
  expect(started).toEqual(["a", "b"]);
  await end("b");
  expect(started).toEqual(["a", "b", "c"]);
  await end("a");
  await end("c");
  const [a, b, c] = await Promise.all(slots);
  expect(new Set([a, b])).toEqual(new Set([0, 1]));
  expect(c).toBe(b);
});

test("FairQueue forgets who is aborted while waiting", async () => {
  const { queue, started, add, end } = setupQueue(1);
  void add("a");
  const controller = new AbortController();
  const waiting = add("b", controller.signal);
  await end("");
  controller.abort(new RangeError("gone"));
  await expect(waiting).rejects.toThrow("gone");
  expect(queue.length).toBe(0);
  void add("c");
  await end("a");
  expect(started).toEqual(["a", "c"]);
  await expect(add("d", controller.signal)).rejects.toThrow("gone");
});

test("FairQueue frees the slot of work that fails", async () => {
  const queue = new FairQueue(1);
  const fail = () =>
    queue.run("a", async () => Promise.reject(new RangeError("no")), never);
  await expect(fail()).rejects.toThrow("no");
  await expect(fail()).rejects.toThrow("no");
});

test("FairQueue takes no more than may wait", async () => {
  const { started, add, end } = setupQueue(1, 2);
  for (const name of ["a1", "a2", "b1"]) void add(name);
  await expect(add("c1")).rejects.toMatchObject({
    code: Code.ResourceExhausted,
    message:
      "Queue must hold at most 2 that wait: try again when some have ended",
  });
  await end("a1");
  void add("c2");
  for (const name of ["a2", "b1", "c2"]) await end(name);
  expect(started).toEqual(["a1", "a2", "b1", "c2"]);
});
