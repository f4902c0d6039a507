import { describe, expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { normaliseRelativePath } from "./relative-path.js";

describe("normaliseRelativePath()", () => {
  test.each([
    ["", ""],
    [".", ""],
    ["a/b", "a/b"],
    ["./a//b/.", "a/b"],
    ["a/b/", "a/b"],
    ["a/../b", "b"],
    ["a/b/../../c", "c"],
    ["..", ".."],
    ["../x/../y", "../y"],
    ["../../x", "../../x"],
    ["a/../../b", "../b"],
    ["...", "..."],
    [" /\t", " /\t"],
  ])("normaliseRelativePath() makes %j of it", (path, expected) => {
    const base = ["one", "two"];
    expect(normaliseRelativePath(path, "Path", base).join("/")).toBe(expected);
  });

  test.each([
    ["..", [], "stay within the input root"],
    ["a/../../b", [], "stay within the input root"],
    ["../../../x", ["one", "two"], "stay within the input root"],
    ["../x/../../../y", ["one", "two"], "stay within the input root"],
    ["/etc/passwd", [], "be relative"],
    ["//", ["one"], "be relative"],
    ["a\0b", [], "not hold NUL"],
  ])("normaliseRelativePath() refuses %j beneath %j", (path, base, rule) => {
    expect(() => normaliseRelativePath(path, "Path", base)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message: `Path must ${rule}: current value is ${JSON.stringify(path)}`,
      }),
    );
  });
});
