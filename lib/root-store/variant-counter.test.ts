import { expect, test } from "@jest/globals";
import { VariantCounter } from "./variant-counter.js";

const key = { sha256: "a".repeat(64), mode: 0o644, mtimeSeconds: 1 };

test("VariantCounter numbers equal files, each sort apart", () => {
  const counter = new VariantCounter();
  const later = { ...key, mtimeSeconds: 2 };
  const other = { ...key, sha256: "b".repeat(64) };
  const keys = [key, other, later, key, later, key, other];
  expect(keys.map((each) => counter.next(each))).toEqual([0, 0, 0, 1, 1, 2, 1]);
});
