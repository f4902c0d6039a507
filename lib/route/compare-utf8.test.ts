import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { compareUtf8 } from "./compare-utf8.js";

test("compareUtf8() orders any two strings as their UTF-8 bytes are", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(Math.sign(compareUtf8(a, b))).toBe(expected);
    }),
  );
});

test("compareUtf8() puts what lies beyond U+FFFF last", () => {
  expect(["\u{1F600}", "\uFFFD", "a"].sort(compareUtf8)).toEqual([
    "a",
    "\uFFFD",
    "\u{1F600}",
  ]);
});
