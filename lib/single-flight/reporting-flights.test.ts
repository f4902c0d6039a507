import { describe, expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { ReportingFlights } from "./reporting-flights.js";

function deferred() {
  let resolve = (_value: string) => {};
  const promise = new Promise<string>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value: string) => resolve(value) };
}

const forever = new AbortController().signal;

describe("ReportingFlights", () => {
  test("ReportingFlights tells who joins late the latest state at once", async () => {
    const flights = new ReportingFlights<string, number>();
    const { promise, resolve } = deferred();
    let report = (_progress: number) => {};
    const seen: number[][] = [[], []];
    const first = flights.run(
      "key",
      { signal: forever, onProgress: (state) => seen[0]?.push(state) },
      (_signal, tell) => {
        report = tell;
        return promise;
      },
    );
    report(1);
    report(2);
    const second = flights.run(
      "key",
      { signal: forever, onProgress: (state) => seen[1]?.push(state) },
      () => Promise.reject(new Error("It runs already")),
    );
    report(3);
    resolve("done");
    expect(await Promise.all([first, second])).toEqual(["done", "done"]);
    report(4); // nobody is told any more
    expect(seen).toEqual([
      [1, 2, 3],
      [2, 3],
    ]);
    expect(flights.size).toBe(0);
  });

  test("ReportingFlights.stop() aborts the work and waits for its end", async () => {
    const flights = new ReportingFlights<string, never>();
    let ended = false;
    const result = flights.run("key", { signal: forever }, async (signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await new Promise((resolve) => setImmediate(resolve));
      ended = true;
      throw signal.reason;
    });
    const outcome = expect(result).rejects.toMatchObject({
      code: Code.Unavailable,
      message: "Shutting down",
    });
    await flights.stop();
    expect(ended).toBe(true);
    await outcome;
  });
});
