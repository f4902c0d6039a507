import { expect, test } from "@jest/globals";
import { formatLogLine } from "./format-log-line.js";

test.each([
  [
    { level: "info", time: "t", component: "engine", msg: "Serving", port: 1 },
    "engine: Serving (port=1)",
  ],
  [
    { level: "warn", msg: "Odd", error: { message: "x", stack: "long" } },
    'engine: [warn] Odd (error="x")',
  ],
  [{ level: "info", msg: "Bare" }, "engine: Bare"],
])("formatLogLine() makes a line for people of %j", (event, line) => {
  expect(formatLogLine("engine", JSON.stringify(event))).toBe(line);
});

test.each(["plain text", "7", '{"no":"message"}'])(
  "formatLogLine() leaves %j as it is",
  (line) => {
    expect(formatLogLine("engine", line)).toBe(`engine: ${line}`);
  },
);
