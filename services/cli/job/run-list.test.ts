import { expect, test } from "@jest/globals";
import { formatList } from "./run-list.js";
import { jobOf, stepOf } from "./testing/example-job.js";

test("formatList() puts jobs in columns, and lets no name steer the terminal", () => {
  const cached = stepOf("a", { state: "succeeded", cached: true });
  const job = jobOf(cached, stepOf("b"));
  const now = Date.parse(job.startedAt) + 5_000;
  const named = { ...job, name: "x\u001b[2J" };
  expect(formatList([job, named], now)).toEqual([
    "ID                                    STATE    STEPS          CREATED               TIME   NAME",
    `${job.id}  running  1/2, 1 cached  2026-01-01 12:00:00Z  5.0 s`,
    `${job.id}  running  1/2, 1 cached  2026-01-01 12:00:00Z  5.0 s  x\\u{1b}[2J`,
  ]);
});
