import { expect, test } from "@jest/globals";
import { stepTiming } from "./step-timing.js";

const start = Date.UTC(2026, 0, 1);
const at = (ms: number) => new Date(start + ms).toISOString();
const run = { runStartedAt: at(0), now: start + 9_000 };

test("stepTiming() tells phases that the worker measured", () => {
  const times = {
    queued: at(10),
    workerStart: at(20),
    inputFetchStart: at(20),
    inputFetchEnd: at(30),
    executionStart: at(30),
    executionEnd: at(500),
    outputUploadStart: at(500),
    outputUploadEnd: at(520),
  };
  const step = { state: "succeeded", cached: false, times } as const;
  expect(stepTiming(step, run)).toEqual({
    kind: "phases",
    phases: [
      { kind: "queue", from: start + 10, to: start + 20 },
      { kind: "inputs", from: start + 20, to: start + 30 },
      { kind: "run", from: start + 30, to: start + 500 },
      { kind: "outputs", from: start + 500, to: start + 520 },
    ],
  });
  const later = { ...run, runStartedAt: at(1_000) };
  expect(stepTiming(step, later).kind).toBe("earlier");
});

test.each([
  ["queued", "queue"],
  ["running", "run"],
] as const)("stepTiming() of a %s step goes on until now", (state, kind) => {
  const step = { state, cached: false, startedAt: at(1_000) };
  expect(stepTiming(step, run)).toEqual({
    kind: "phases",
    phases: [{ kind, from: start + 1_000, to: start + 9_000 }],
  });
});

test("stepTiming() of a step that began long ago, and runs, is no earlier one", () => {
  const step = { state: "running", cached: false, startedAt: at(-5) } as const;
  const late = { runStartedAt: at(20_000), now: start };
  expect(stepTiming(step, late).kind).toBe("phases");
});

test("stepTiming() takes nothing of a cached step, nor of one that waits", () => {
  const times = { executionStart: at(0), executionEnd: at(9) };
  const cached = { state: "succeeded", cached: true, times } as const;
  expect(stepTiming(cached, run)).toEqual({ kind: "cached" });
  const waiting = { state: "waiting", cached: false } as const;
  expect(stepTiming(waiting, run)).toEqual({ kind: "none" });
});

test("stepTiming() never ends before it began, whatever clocks say", () => {
  const times = { executionStart: at(50), executionEnd: at(40) };
  const step = { state: "failed", cached: false, times } as const;
  expect(stepTiming(step, run)).toEqual({
    kind: "phases",
    phases: [{ kind: "run", from: start + 50, to: start + 50 }],
  });
});
