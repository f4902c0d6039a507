import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { showWaiting } from "./show-waiting.js";

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** The part of a stream that it uses. */
function collect(isTTY: boolean) {
  const written: string[] = [];
  const stream = { isTTY, write: (text: string) => written.push(text) };
  return { written, stream: stream as never };
}

test("showWaiting() says how long it has waited, and leaves nothing", async () => {
  const { written, stream } = collect(true);
  let end = (_: string) => {};
  const work = new Promise<string>((resolve) => {
    end = resolve;
  });
  const shown = showWaiting(stream, "looking up x", work);
  jest.advanceTimersByTime(2_000);
  end("done");
  expect(await shown).toBe("done");
  jest.advanceTimersByTime(9_000);
  expect(written).toEqual([
    "\r\u001b[Klooking up x (1 s)",
    "\r\u001b[Klooking up x (2 s)",
    "\r\u001b[K",
  ]);
});

test("showWaiting() is silent about what is quick, and throws what it threw", async () => {
  const { written, stream } = collect(false);
  const work = Promise.reject(new Error("away"));
  await expect(showWaiting(stream, "looking up x", work)).rejects.toThrow(
    "away",
  );
  expect(written).toEqual([]);
});
