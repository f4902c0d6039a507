import { expect, test } from "@jest/globals";
import { Code } from "../../../../lib/status/index.js";
import { LogCursor } from "./log-cursor.js";

test.each([
  "-",
  "0",
  "0-4",
  "0-2,3:17.0",
  "0-2,4@1.2,5@2.1:0.9",
  "0@2.1,1-2,3@2.1",
])("LogCursor reads what it wrote: %s", (text) => {
  expect(String(LogCursor.parse(text, 6))).toBe(text);
});

test.each([
  "",
  "x",
  "6",
  "0-6",
  "4-2",
  "0:1",
  "0,",
  "-1",
  "0@1:1.1",
  "0:99999999999999999999.0",
  `${"0,".repeat(8_000)}x`,
])("LogCursor.parse() refuses %j", (text) => {
  expect(() => LogCursor.parse(text, 6)).toThrow(
    expect.objectContaining({
      code: Code.InvalidArgument,
      message: "Last-Event-ID must be the id of an event of this job",
    }),
  );
});

test("LogCursor begins anew for another incarnation of a step", () => {
  const cursor = LogCursor.parse("0:5.6", 1);
  const [stdout, stderr, isDone] = [5, 6, false];
  const first = { incarnation: "1.1", stdout, stderr, isDone };
  const second = { incarnation: "1.2", stdout: 0, stderr: 0, isDone };
  expect(cursor.progress(0, "1.1")).toEqual(first);
  expect(cursor.progress(0, "1.2")).toEqual(second);
  expect(cursor.incarnation(0)).toBe("1.1");
});

test("LogCursor is short when a thousand steps are done", () => {
  const cursor = new LogCursor();
  for (let step = 999; step >= 0; step--) {
    const done = { stdout: 0, stderr: 0, isDone: true };
    cursor.set(step, { incarnation: "1.1", ...done });
  }
  expect(String(cursor)).toBe("0-999");
});
