import { expect, test } from "@jest/globals";
import { compare, formatTable, median } from "./report.js";

test("median() takes the middle one", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(() => median([])).toThrow(RangeError);
});

test("formatTable() lines up figures of all sizes", () => {
  expect(
    formatTable([
      compare("a", "ms", { ours: 1.5, peer: 3 }),
      { name: "long name", ours: 12345, unit: "per s" },
    ]),
  ).toBe(
    [
      "            ours  peer  unit   ratio",
      "a           1.50  3.00  ms      0.50",
      "long name  12345        per s",
    ].join("\n"),
  );
});
