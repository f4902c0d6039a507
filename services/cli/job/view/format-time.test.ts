import { describe, expect, test } from "@jest/globals";
import { formatDuration, formatSpan, formatTime } from "./format-time.js";

describe("formatDuration()", () => {
  test.each([
    [-5, "0.0 s"],
    [449, "0.4 s"],
    [9_960, "10 s"],
    [59_600, "1 m 0 s"],
    [200_000, "3 m 20 s"],
    [7_500_000, "2 h 5 m"],
  ])("formatDuration() shows %p ms as %p", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});

describe("formatSpan()", () => {
  test("formatSpan() goes on until now while there is no end", () => {
    const startedAt = "2026-01-01T12:00:00.000Z";
    const endedAt = "2026-01-01T12:00:02.000Z";
    const now = Date.parse(startedAt) + 5_000;
    expect(formatSpan({ startedAt }, now)).toBe("5.0 s");
    expect(formatSpan({ startedAt, endedAt }, now)).toBe("2.0 s");
    expect(formatSpan({ endedAt }, now)).toBe("");
  });
});

describe("formatTime()", () => {
  test("formatTime() leaves fractions out", () => {
    expect(formatTime("2026-01-01T12:00:00.123Z")).toBe("2026-01-01 12:00:00Z");
  });
});
