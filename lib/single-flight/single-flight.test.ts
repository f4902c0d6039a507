import { describe, expect, test } from "@jest/globals";
import { Code, StatusError } from "../status/index.js";
import { SingleFlight } from "./index.js";

function setup() {
  const flights = new SingleFlight<string>();
  const begun: {
    resolve: (value: string) => void;
    reject: (error: unknown) => void;
    signal: AbortSignal;
  }[] = [];
  const run = (signal?: AbortSignal) =>
    flights.run(
      "key",
      (ofWork) =>
        new Promise((resolve, reject) => {
          begun.push({ resolve, reject, signal: ofWork });
        }),
      signal,
    );
  const at = (index: number) => {
    const work = begun[index];
    if (work === undefined) throw new Error(`Work ${index} was not begun`);
    return work;
  };
  return { flights, begun, run, at };
}

describe("SingleFlight", () => {
  test("SingleFlight does the work once for all who wait, and anew afterwards", async () => {
    const { flights, begun, run, at } = setup();
    const both = Promise.all([run(), run(new AbortController().signal)]);
    expect(begun).toHaveLength(1);
    at(0).resolve("a");
    expect(await both).toEqual(["a", "a"]);
    expect(flights.size).toBe(0);
    const third = run();
    at(1).resolve("b");
    expect(await third).toBe("b");
  });

  test("SingleFlight gives a failure to all who wait and forgets it", async () => {
    const { flights, run, at } = setup();
    const waiting = [run(), run()];
    const failure = new StatusError(Code.NotFound, "gone");
    at(0).reject(failure);
    for (const one of waiting) await expect(one).rejects.toBe(failure);
    expect(flights.size).toBe(0);
  });

  test("SingleFlight lets the first caller leave without breaking the second", async () => {
    const { run, at } = setup();
    const first = new AbortController();
    const second = new AbortController();
    const left = run(first.signal);
    const stayed = run(second.signal);
    first.abort();
    await expect(left).rejects.toMatchObject({ code: Code.Cancelled });
    expect(at(0).signal.aborted).toBe(false);
    at(0).resolve("a");
    expect(await stayed).toBe("a");
    second.abort(); // after the end: changes nothing
    expect(at(0).signal.aborted).toBe(false);
  });

  test("SingleFlight stops the work when nobody waits, and begins anew for the next", async () => {
    const { flights, run, at } = setup();
    const controller = new AbortController();
    const left = run(controller.signal);
    controller.abort(new DOMException("late", "TimeoutError"));
    await expect(left).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(at(0).signal.aborted).toBe(true);
    const next = run();
    at(0).reject(new Error("stopped"));
    at(1).resolve("b");
    expect(await next).toBe("b");
    expect(flights.size).toBe(0);
  });

  test("SingleFlight begins nothing for a caller who has given up already", async () => {
    const { begun, run } = setup();
    const result = run(AbortSignal.abort());
    await expect(result).rejects.toMatchObject({ code: Code.Cancelled });
    expect(begun).toHaveLength(0);
  });

  test("SingleFlight rejects when the work throws at once", async () => {
    const flights = new SingleFlight<string>();
    const result = flights.run("key", () => {
      throw new StatusError(Code.Internal, "at once");
    });
    await expect(result).rejects.toMatchObject({ message: "at once" });
    expect(flights.size).toBe(0);
  });
});
