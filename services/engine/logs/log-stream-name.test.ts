import { expect, test } from "@jest/globals";
import { parseInstanceName } from "../../../lib/digest/index.js";
import { Code } from "../../../lib/status/index.js";
import {
  formatLogStreamName,
  tryParseLogStreamName,
} from "./log-stream-name.js";

const operation = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";

test.each([
  ["", `logstreams/${operation}-stderr`],
  ["jobs", `jobs/logstreams/${operation}-stderr`],
  ["a/b", `a/b/logstreams/${operation}-stderr`],
  ["logstreams", `logstreams/logstreams/${operation}-stderr`],
])("formatLogStreamName() of instance %j is read back", (instance, text) => {
  const instanceName = parseInstanceName(instance);
  const name = { instanceName, operation, stream: "stderr" } as const;
  expect(formatLogStreamName(name)).toBe(text);
  expect(tryParseLogStreamName(text)).toEqual(name);
});

test.each([
  "",
  "logstreams",
  `blobs/${"0".repeat(64)}/1`,
  `logstreams/${operation}-stdout/token`,
])("tryParseLogStreamName() leaves %j to others", (text) => {
  expect(tryParseLogStreamName(text)).toBeUndefined();
});

test.each([
  "logstreams/",
  `logstreams/${operation}`,
  `logstreams/${operation}-stdin`,
  `/logstreams/${operation}-stdout`,
  `a/../b/logstreams/${operation}-stdout`,
  `logstreams/${"a".repeat(101)}-stdout`,
])("tryParseLogStreamName() finds nothing of name %j", (text) => {
  expect(() => tryParseLogStreamName(text)).toThrow(
    expect.objectContaining({
      code: Code.NotFound,
      message: `Log stream ${JSON.stringify(text)} not found: its action ended long ago, or never was`,
    }),
  );
});
