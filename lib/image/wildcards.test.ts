import { describe, expect, test } from "@jest/globals";
import { compileWildcards } from "./wildcards.js";

describe("compileWildcards()", () => {
  test.each([
    ["a/b", "a/b", true],
    ["a/b", "a/bc", false],
    ["a.b", "axb", false],
    ["a/*", "a/b", true],
    ["a/*", "a/", true],
    ["a/*", "a/b/c", false],
    ["a/**", "a/b/c", true],
    ["a/**", "ab/c", false],
    ["**/tool", "a/b/tool", true],
    ["**/tool", "tool", false],
    ["*-x-*", "a-x-b", true],
    ["*-x-*", "a-x/b", false],
    ["**", "", true],
    ["*", "a/b", false],
  ])("compileWildcards() with %s and %s: %s", (pattern, text, expected) => {
    expect(compileWildcards(pattern)(text)).toBe(expected);
  });

  test("compileWildcards() takes no time that grows with the wildcards", () => {
    const matches = compileWildcards("*a".repeat(12).concat("b"));
    const start = performance.now();
    expect(matches("a".repeat(250))).toBe(false);
    // Milliseconds; with backtracking, years.
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
