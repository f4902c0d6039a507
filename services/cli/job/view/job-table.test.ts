import { describe, expect, test } from "@jest/globals";
import { jobOf, stepOf } from "../testing/example-job.js";
import { formatJobTable } from "./job-table.js";

const now = Date.parse("2026-01-01T12:00:05.000Z");
const at = (seconds: number) =>
  new Date(now - 5_000 + seconds * 1_000).toISOString();

const job = jobOf(
  stepOf("generate", { state: "succeeded", cached: true, attempts: 1 }),
  stepOf("transform", { state: "running", startedAt: at(3.5), attempts: 2 }),
  stepOf("count"),
);

describe("formatJobTable()", () => {
  test("formatJobTable() shows states, times, attempts and what was cached", () => {
    expect(formatJobTable({ ...job, name: "Word Job" }, { now })).toEqual([
      'job 51E0E756-A6B4-4CC7-87BD-364970C2268C "Word Job"  running  5.0 s',
      "  generate   succeeded              cached",
      "  transform  running         1.5 s  attempt 2",
      "  count      waiting",
    ]);
  });

  test("formatJobTable() keeps to the terminal's width, colours aside", () => {
    const lines = formatJobTable(job, { now, columns: 20, hasColours: true });
    expect(lines).toEqual([
      "job 51E0E756-A6B4-4C",
      "  generate   \u001b[32msucceed\u001b[0m",
      "  transform  \u001b[33mrunning\u001b[0m",
      "  count      \u001b[90mwaiting\u001b[0m",
    ]);
  });

  test("formatJobTable() shows what fails and runs where room is short", () => {
    const many = jobOf(
      stepOf("a", { state: "succeeded" }),
      stepOf("b", { state: "succeeded" }),
      stepOf("c", { state: "running" }),
      stepOf("d", { state: "failed" }),
      stepOf("e"),
    );
    expect(formatJobTable(many, { now, rows: 4 }).slice(1)).toEqual([
      "  c  running",
      "  d  failed",
      "  and 3 more: 2 of 5 have succeeded",
    ]);
  });

  test("formatJobTable() lets no name or reason steer the terminal", () => {
    const text = "x\u001b[2J\u001b[31mred\n";
    const reason = { code: "INTERNAL", text };
    const evil = jobOf(stepOf("a", { state: "failed", reason }));
    const lines = formatJobTable({ ...evil, name: text }, { now });
    expect(lines).toEqual([
      `job ${evil.id} "x\\u{1b}[2Jred\\u{a}"  running  5.0 s`,
      "  a  failed                 x\\u{1b}[2Jred\\u{a}",
    ]);
  });
});
