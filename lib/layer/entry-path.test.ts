import { expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { normaliseEntryPath } from "./entry-path.js";

test.each([
  ["a/b", "a/b"],
  ["a/", "a"],
  ["./a", "a"],
  ["/a//b/", "a/b"],
  ["a/./b/../c", "a/c"],
  ["../../up", "up"],
  ["a/../../../b", "b"],
  ["", ""],
  [".", ""],
  ["./", ""],
  ["//", ""],
  ["..", ""],
  ["a/..", ""],
  // Dots that are names.
  ["...", "..."],
  ["a/.b/..c/d..", "a/.b/..c/d.."],
  // Bytes, whatever they are.
  ["\xff\n\\", "\xff\n\\"],
])("normaliseEntryPath() makes %p %p", (name, path) => {
  expect(normaliseEntryPath(name, 10)).toBe(path);
});

test.each([
  ["a".repeat(256), Code.InvalidArgument, "Name must have at most 255 bytes"],
  [
    `a/${"b".repeat(256)}/c`,
    Code.InvalidArgument,
    "Name must have at most 255 bytes",
  ],
  [
    "a/".repeat(2049),
    Code.InvalidArgument,
    "Path must have at most 4095 bytes",
  ],
  [
    "a/".repeat(11),
    Code.ResourceExhausted,
    "Path must have at most 10 components",
  ],
])(
  "normaliseEntryPath() rejects a name that no directory can hold, %#",
  (name, code, message) => {
    const rejection = expect.objectContaining({ code, message });
    expect(() => normaliseEntryPath(name, 10)).toThrow(rejection);
  },
);

test("normaliseEntryPath() accepts the longest of all", () => {
  expect(normaliseEntryPath("a/".repeat(10), 10)).toBe(
    "a/".repeat(10).slice(0, -1),
  );
  expect(normaliseEntryPath("a".repeat(255), 1)).toHaveLength(255);
});
