import { describe, expect, test } from "@jest/globals";
import { Code, StatusError } from "../../status/index.js";
import { parseRetryAfter, type RetryOptions, retry } from "./retry.js";

function setup(overrides: Partial<RetryOptions> = {}) {
  const pauses: number[] = [];
  const options: RetryOptions = {
    attempts: 6,
    initialDelayMs: 100,
    maximumDelayMs: 1000,
    maximumWaitMs: 30_000,
    maximumRetryAfterMs: 30_000,
    sleep: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
    now: () => 0,
    random: () => 1,
    ...overrides,
  };
  return { pauses, options };
}

const busy = new StatusError(Code.Unavailable, "busy");

describe("retry()", () => {
  test("retry() doubles its pauses up to their maximum, and throws the last failure", async () => {
    const { pauses, options } = setup();
    let made = 0;
    const outcome = retry(() => {
      made += 1;
      return Promise.reject(new StatusError(Code.Unavailable, `no ${made}`));
    }, options);
    await expect(outcome).rejects.toMatchObject({ message: "no 6" });
    expect(pauses).toEqual([100, 200, 400, 800, 1000]);
  });

  test("retry() makes no other attempt when waiting took its time", async () => {
    let now = 0;
    const { pauses, options } = setup({ now: () => now });
    const outcome = retry(() => {
      now += 15_000;
      return Promise.reject(busy);
    }, options);
    await expect(outcome).rejects.toBe(busy);
    expect(pauses).toEqual([100]);
  });

  test("retry() takes off up to half of a pause by chance", async () => {
    const { pauses, options } = setup({ random: () => 0 });
    await expect(retry(() => Promise.reject(busy), options)).rejects.toBe(busy);
    expect(pauses).toEqual([50, 100, 200, 400, 500]);
  });

  test("retry() waits as long as the peer asks, if that is longer", async () => {
    const { pauses, options } = setup();
    const answers = [
      { failure: busy, retryAfterMs: 7 },
      { failure: busy, retryAfterMs: 7000 },
      { value: "done" },
    ];
    expect(
      await retry(
        () => Promise.resolve(answers.shift() ?? { value: "" }),
        options,
      ),
    ).toBe("done");
    expect(pauses).toEqual([100, 7000]);
  });

  test("retry() gives up at once on what does not mend itself", async () => {
    const { pauses, options } = setup();
    const failure = new StatusError(Code.NotFound, "gone");
    await expect(retry(() => Promise.reject(failure), options)).rejects.toBe(
      failure,
    );
    expect(pauses).toEqual([]);
  });

  test("retry() begins no other attempt after the caller gave up", async () => {
    const { pauses, options } = setup();
    const controller = new AbortController();
    const outcome = retry(
      () => {
        controller.abort();
        return Promise.reject(busy);
      },
      options,
      controller.signal,
    );
    await expect(outcome).rejects.toBe(busy);
    expect(pauses).toEqual([]);
  });
});

describe("parseRetryAfter()", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  test.each([
    [undefined, 0],
    ["0", 0],
    ["120", 120_000],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Thu, 01 Jan 2015 00:00:30 GMT", 0],
    ["soon", 0],
    ["-5", 0],
  ])("parseRetryAfter() reads %j as %d ms", (header, expected) => {
    // A date without a time zone would depend on the machine's.
    expect(Math.max(0, parseRetryAfter(header, now))).toBe(expected);
  });
});
