import { expect, test } from "@jest/globals";
import { formatAgo, formatDuration, formatSeconds } from "./duration.js";

test.each([
  [-5, "0 ms"],
  [0, "0 ms"],
  [8.4, "8 ms"],
  [999.6, "1.0 s"],
  [1_234, "1.2 s"],
  [9_949, "9.9 s"],
  [9_950, "10 s"],
  [59_499, "59 s"],
  [59_500, "1 min 00 s"],
  [185_000, "3 min 05 s"],
  [3_599_400, "59 min 59 s"],
  [7_440_000, "2 h 04 min"],
  [266_400_000, "3 d 2 h"],
])("formatDuration() writes %d ms as %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test.each([
  [-1, "just now"],
  [9_999, "just now"],
  [10_000, "10 s ago"],
  [119_000, "1 min ago"],
  [7_199_000, "1 h ago"],
  [172_800_000, "2 d ago"],
])("formatAgo() writes %d ms as %s", (milliseconds, text) => {
  expect(formatAgo(milliseconds)).toBe(text);
});

test.each([
  [-1, "0 s"],
  [8_999, "8 s"],
  [59_999, "59 s"],
  [61_500, "1 min 01 s"],
])("formatSeconds() writes %d ms as %s", (milliseconds, text) => {
  expect(formatSeconds(milliseconds)).toBe(text);
});
