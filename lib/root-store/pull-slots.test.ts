import { describe, expect, test } from "@jest/globals";
import { PullSlots } from "./pull-slots.js";

const forever = new AbortController().signal;

describe("PullSlots", () => {
  test("PullSlots runs so many at a time, the rest in their order", async () => {
    const slots = new PullSlots(2);
    const log: string[] = [];
    let running = 0;
    const pull = (name: string) =>
      slots.run(forever, async () => {
        log.push(`${name} ${++running}`);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
      });
    await Promise.all(["a", "b", "c", "d"].map(pull));
    expect(log.map((line) => line[0])).toEqual(["a", "b", "c", "d"]);
    expect(log.every((line) => Number(line.slice(2)) <= 2)).toBe(true);
  });

  test("PullSlots gives a failed pull's slot on, and forgets who left", async () => {
    const slots = new PullSlots(1);
    let fail = () => {};
    const failing = slots.run(forever, () => {
      return new Promise((_, reject) => {
        fail = () => reject(new Error("it failed"));
      });
    });
    const leaver = new AbortController();
    const left = slots.run(leaver.signal, async () => "never");
    const next = slots.run(forever, async () => "next");
    leaver.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    fail();
    await expect(failing).rejects.toThrow("it failed");
    expect(await next).toBe("next");
  });
});
