import { expect, test } from "@jest/globals";
import { Code, StatusError } from "../status/index.js";
import { retry } from "./retry.js";

const settings = {
  timeoutMs: 1_000,
  initialDelayMs: 0,
  random: () => 0,
  now: () => 0,
};

/** Something that fails so many times with a code. */
function failing(times: number, code: Code) {
  let attempts = 0;
  return async () => {
    attempts++;
    if (attempts <= times) throw new StatusError(code, `attempt ${attempts}`);
    return attempts;
  };
}

test("retry() tries again while a code is retryable", async () => {
  expect(await retry(failing(3, Code.Unavailable), settings)).toBe(4);
});

test("retry() throws what will not get better at once", async () => {
  await expect(retry(failing(3, Code.NotFound), settings)).rejects.toEqual(
    new StatusError(Code.NotFound, "attempt 1"),
  );
});

test("retry() throws the last error as it is when the time is over", async () => {
  let ms = 0;
  const now = () => {
    ms += 400;
    return ms;
  };
  await expect(
    retry(failing(99, Code.Unavailable), { ...settings, now }),
  ).rejects.toEqual(new StatusError(Code.Unavailable, "attempt 3"));
});

test("retry() ends its wait when the signal is aborted", async () => {
  const controller = new AbortController();
  const reason = new StatusError(Code.DeadlineExceeded, "late");
  const waiting = retry(
    failing(99, Code.Unavailable),
    { ...settings, initialDelayMs: 60_000, timeoutMs: 600_000 },
    { signal: controller.signal },
  );
  setImmediate(() => controller.abort(reason));
  await expect(waiting).rejects.toBe(reason);
});
