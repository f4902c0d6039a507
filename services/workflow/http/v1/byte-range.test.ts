import { expect, test } from "@jest/globals";
import { parseByteRange } from "./byte-range.js";

const all = { kind: "all" };
const unsatisfiable = { kind: "unsatisfiable" };
const part = (first: number, last?: number) => ({ kind: "part", first, last });

test.each([
  [undefined, 10, all],
  ["bytes=0-", 10, part(0, 9)],
  ["bytes=2-5", 10, part(2, 5)],
  ["bytes=2-99", 10, part(2, 9)],
  ["bytes=9-9", 10, part(9, 9)],
  ["bytes=-3", 10, part(7, 9)],
  ["bytes=-99", 10, part(0, 9)],
  ["bytes=-0", 10, unsatisfiable],
  ["bytes=10-", 10, unsatisfiable],
  ["bytes=0-", 0, unsatisfiable],
  ["bytes=-1", 0, unsatisfiable],
  // Malformed, or several: as if nothing had been said.
  ["bytes=5-2", 10, all],
  ["bytes=-", 10, all],
  ["bytes=0-1,3-4", 10, all],
  ["bytes=a-b", 10, all],
  ["bytes=1", 10, all],
  ["lines=0-1", 10, all],
  [`bytes=${"9".repeat(400)}-`, 10, all],
  // The size is not known yet.
  ["bytes=4-", undefined, part(4)],
  ["bytes=4-8", undefined, part(4, 8)],
  ["bytes=-4", undefined, all],
])("parseByteRange() reads %j of %j bytes", (header, size, expected) => {
  expect(parseByteRange(header, size)).toEqual(expected);
});
