import { describe, expect, test } from "@jest/globals";
import { Digest } from "../../../lib/digest/index.js";
import type { TreeNode } from "../../../lib/merkle-tree/index.js";
import {
  formatBytes,
  formatMode,
  permissionsOf,
  printable,
} from "./format-node.js";

const digest = Digest.of(Buffer.from("x"));

function file(unixMode?: number, isExecutable = false): TreeNode {
  return {
    type: "file",
    digest,
    isExecutable,
    properties:
      unixMode === undefined
        ? undefined
        : { properties: [], unixMode, mtime: undefined },
  };
}

describe("formatMode()", () => {
  test.each([
    [file(0o755), "-rwxr-xr-x"],
    [file(0o640), "-rw-r-----"],
    [file(0o6711), "-rws--s--x"],
    [file(0o7000), "---S--S--T"],
    [file(undefined, true), "-rwxr-xr-x"],
    [file(), "-rw-r--r--"],
    [{ type: "symlink", target: "x", properties: undefined }, "lrwxrwxrwx"],
  ] as const)("formatMode() writes it as ls does (%#)", (node, expected) => {
    expect(formatMode(node)).toBe(expected);
  });
});

test("permissionsOf() drops set-ID bits, and keeps the sticky one of directories", () => {
  expect(permissionsOf(file(0o7755))).toBe(0o755);
  const properties = { properties: [], unixMode: 0o7777, mtime: undefined };
  expect(permissionsOf({ type: "directory", digest, properties })).toBe(0o1777);
});

describe("printable()", () => {
  test.each([
    ["café ☕", "café ☕"],
    ["a\nb", "a\\u{a}b"],
    ["\u001b[31mred", "\\u{1b}[31mred"],
    ["\u202egnp.exe", "\\u{202e}gnp.exe"],
    ["back\\slash", "back\\\\slash"],
  ])(
    "printable() lets no name of an image steer the terminal (%#)",
    (name, shown) => {
      expect(printable(name)).toBe(shown);
    },
  );
});

test.each([
  [0, "0 B"],
  [1_023, "1023 B"],
  [1_536, "1.5 KiB"],
  [2 ** 30, "1.0 GiB"],
])("formatBytes() writes %d as %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
