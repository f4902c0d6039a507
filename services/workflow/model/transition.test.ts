import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Code, StatusError } from "../../../lib/status/index.js";
import { hasJobEnded, type Job } from "./job.js";
import type { AttemptOutcome, JobEvent } from "./job-event.js";
import { hasEnded, type StepResult } from "./step.js";
import { transition } from "./transition.js";

const limits = { maximumAttempts: 3, maximumRuns: 3 };
const reason = { code: "UNAVAILABLE", text: "The engine is away" };

function result(exitCode = 0): StepResult {
  return { exitCode, outputs: [], cached: false, worker: "w", times: {} };
}

/** A job of steps by name, each with the names of those that it needs. */
function newJob(
  graph: Record<string, string[]>,
  retry: "infrastructure" | "never" = "infrastructure",
): Job {
  return {
    id: "51E0E756-A6B4-4CC7-87BD-364970C2268C",
    tenant: "",
    labels: {},
    createdAt: 0,
    startedAt: 0,
    state: { kind: "preparing" },
    steps: Object.entries(graph).map(([name, needs]) => ({
      specification: {
        name,
        needs,
        cache: false,
        retry,
        work: {
          kind: "container",
          image: "debian",
          refresh: false,
          environment: [],
          secrets: [],
          inputs: [],
          outputs: [],
        },
      },
      attempts: 0,
      state: { kind: "waiting" },
    })),
    pastRuns: [],
    isHidden: false,
  };
}

function following(job: Job, ...events: JobEvent[]): Job {
  return events.reduce(
    (now, event, at) => transition(now, { event, at, limits }),
    job,
  );
}

const prepared: JobEvent = { kind: "prepared", images: new Map() };
const cancelRequested: JobEvent = { kind: "cancelRequested" };
const retryRequested: JobEvent = { kind: "retryRequested" };

function run(step: string, outcome: AttemptOutcome): JobEvent[] {
  return [
    { kind: "attemptStarted", step },
    { kind: "attemptEnded", step, outcome },
  ];
}

const ended = (exitCode = 0): AttemptOutcome => ({
  kind: "ended",
  result: result(exitCode),
});
const broken = (mayHaveRun: boolean): AttemptOutcome => ({
  kind: "broken",
  reason,
  mayHaveRun,
});

function states(job: Job): Record<string, string> {
  return Object.fromEntries(
    job.steps.map((step) => [step.specification.name, step.state.kind]),
  );
}

const chain = { a: [], b: ["a"], c: ["b"] };

describe("transition()", () => {
  test("makes steps ready whose needs have succeeded, and no others", () => {
    const job = following(newJob({ d: ["b", "c"], b: ["a"], c: ["a"], a: [] }));
    const first = following(job, prepared);
    expect(states(first)).toEqual({
      d: "waiting",
      b: "waiting",
      c: "waiting",
      a: "ready",
    });
    const second = following(first, ...run("a", ended()), ...run("b", ended()));
    expect(states(second)).toEqual({
      d: "waiting",
      b: "succeeded",
      c: "ready",
      a: "succeeded",
    });
    const last = following(second, ...run("c", ended()), ...run("d", ended()));
    expect(last.state.kind).toBe("succeeded");
  });

  test("skips what needs a failed step, and tells the job which it was", () => {
    const job = following(newJob(chain), prepared, ...run("a", ended(3)));
    expect(states(job)).toEqual({ a: "failed", b: "skipped", c: "skipped" });
    expect(job.state).toEqual({
      kind: "failed",
      at: 2,
      reason: {
        code: "EXIT_CODE",
        text: 'Step "a": The program ended with exit code 3',
      },
    });
  });

  test("lets steps beside a failed one go on to their end", () => {
    const job = following(
      newJob({ a: [], b: [] }),
      prepared,
      { kind: "attemptStarted", step: "b" },
      ...run("a", ended(1)),
    );
    expect(job.state.kind).toBe("running");
    const last = following(job, {
      kind: "attemptEnded",
      step: "b",
      outcome: ended(),
    });
    expect(last.state.kind).toBe("failed");
  });

  test("begins another attempt when the infrastructure failed, so often", () => {
    let job = following(newJob({ a: [] }), prepared);
    for (const attempts of [1, 2]) {
      job = following(job, ...run("a", broken(true)));
      expect(job.steps[0]).toMatchObject({
        attempts,
        state: { kind: "ready", after: reason },
      });
    }
    job = following(job, ...run("a", broken(true)));
    expect(job.steps[0]?.state).toMatchObject({ kind: "failed", reason });
    expect(job.state.kind).toBe("failed");
  });

  test("loses a step that must not run again, only if it may have run", () => {
    const job = following(newJob({ a: [] }, "never"), prepared);
    expect(states(following(job, ...run("a", broken(false))))).toEqual({
      a: "ready",
    });
    const lost = following(job, ...run("a", broken(true)));
    expect(states(lost)).toEqual({ a: "lost" });
    expect(lost.state).toMatchObject({ kind: "failed" });
  });

  test("keeps the result of a step that ended although it was cancelled", () => {
    const job = following(
      newJob(chain),
      prepared,
      { kind: "attemptStarted", step: "a" },
      cancelRequested,
    );
    expect(job.state).toEqual({ kind: "cancelling" });
    expect(states(job)).toEqual({
      a: "running",
      b: "cancelled",
      c: "cancelled",
    });
    const end = { kind: "attemptEnded", step: "a" } as const;
    const done = following(job, { ...end, outcome: ended() });
    expect(states(done).a).toBe("succeeded");
    expect(done.state.kind).toBe("cancelled");
    const stopped = following(job, {
      ...end,
      outcome: { kind: "cancelled", result: undefined },
    });
    expect(states(stopped).a).toBe("cancelled");
  });

  test("retries from the steps on that did not succeed", () => {
    const failed = following(
      newJob(chain),
      prepared,
      ...run("a", ended()),
      ...run("b", ended(1)),
    );
    const again = following(failed, retryRequested);
    expect(again.pastRuns).toEqual([{ startedAt: 0, state: failed.state }]);
    const running = following(again, prepared);
    expect(states(running)).toEqual({
      a: "succeeded",
      b: "ready",
      c: "waiting",
    });
  });

  test.each([
    ["a cancelled job", cancelRequested, cancelRequested],
    ["a running job, by a retry", prepared, retryRequested],
  ])("refuses what %s is in no state for", (_, first, second) => {
    const job = following(newJob({ a: [] }), first);
    expect(() => following(job, second)).toThrow(
      expect.objectContaining({ code: Code.FailedPrecondition }),
    );
  });

  test("ends every job exactly once, whatever happens in which order", () => {
    const outcomes = fc.constantFrom(
      ended(),
      ended(1),
      broken(true),
      broken(false),
      { kind: "timedOut", result: undefined } as const,
      { kind: "refused", reason } as const,
    );
    const graphs = fc.constantFrom<Record<string, string[]>>(
      chain,
      { a: [], b: ["a"], c: ["a"], d: ["c", "b"] },
      { a: [], b: [], c: ["a", "b"] },
    );
    fc.assert(
      fc.property(
        graphs,
        fc.boolean(),
        fc.array(fc.tuple(fc.nat(10), outcomes, fc.nat(30)), {
          minLength: 60,
          maxLength: 60,
        }),
        (graph, never, choices) => {
          let job = newJob(graph, never ? "never" : "infrastructure");
          job = following(job, prepared);
          for (const [pick, outcome, chance] of choices) {
            if (hasJobEnded(job)) break;
            if (chance === 0) job = following(job, cancelRequested);
            const ready = job.steps.filter(({ state }) =>
              ["ready", "running"].includes(state.kind),
            );
            const step = ready[pick % ready.length]?.specification.name;
            if (step === undefined) continue;
            const isReady = states(job)[step] === "ready";
            job = following(
              job,
              isReady
                ? { kind: "attemptStarted", step }
                : { kind: "attemptEnded", step, outcome },
            );
            expect(hasJobEnded(job)).toBe(job.steps.every(hasEnded));
          }
          expect(hasJobEnded(job)).toBe(true);
          expect(() => following(job, cancelRequested)).toThrow(StatusError);
        },
      ),
    );
  });
});
