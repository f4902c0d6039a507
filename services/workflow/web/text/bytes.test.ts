import { expect, test } from "@jest/globals";
import { formatBytes } from "./bytes.js";

test.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [999, "999 bytes"],
  [1_000, "1.0 kB"],
  [9_949, "9.9 kB"],
  [9_950, "10 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [100_000_000, "100 MB"],
  [5e15, "5000 TB"],
])("formatBytes() writes %d as %s", (size, text) => {
  expect(formatBytes(size)).toBe(text);
});
