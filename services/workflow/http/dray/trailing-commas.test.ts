import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { withoutTrailingCommas } from "./trailing-commas.js";

test.each([
  ["[1,]", "[1]"],
  ['{"a":1,\t }', '{"a":1\t }'],
  ["[[1,],\n]", "[[1]\n]"],
  ['[",]",]', '[",]"]'],
  ['["\\",]",]', '["\\",]"]'],
  ["[,]", "[,]"],
  ["[1,,]", "[1,,]"],
  ['{"a":,}', '{"a":,}'],
  [",", ","],
  ['"', '"'],
  ['"\\', '"\\'],
])("withoutTrailingCommas() makes of %j %j", (text, expected) => {
  expect(withoutTrailingCommas(text)).toBe(expected);
});

test("withoutTrailingCommas() leaves JSON as it is", () => {
  fc.assert(
    fc.property(fc.json(), (text) => withoutTrailingCommas(text) === text),
  );
});

test.each([
  ["commas", ",".repeat(1_000_000)],
  ["spaces behind commas", `${", ".repeat(500_000)}`],
  ["quotes that are escaped", `"${'\\"'.repeat(500_000)}`],
])("withoutTrailingCommas() is fast with a megabyte of %s", (_, text) => {
  const start = performance.now();
  withoutTrailingCommas(text);
  expect(performance.now() - start).toBeLessThan(1_000);
});
