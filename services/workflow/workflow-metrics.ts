import { Counter, Histogram, type Registry } from "prom-client";
import { addGauge, durationBuckets } from "../../lib/metrics/index.js";
import type { JobObserver } from "./execution/job-observer.js";

/** Counts what happens to jobs. */
export function createWorkflowMetrics(
  registry: Registry,
  gauges: {
    unfinishedJobs(): number;
    waitingSteps(): number;
    setAsideRecords(): number;
  },
): JobObserver {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number) =>
    addGauge(registry, { name, help, value });
  gauge(
    "berth_workflow_unfinished_jobs",
    "Jobs that have not ended",
    gauges.unfinishedJobs,
  );
  gauge(
    "berth_workflow_waiting_steps",
    "Steps that may begin and wait for a place",
    gauges.waitingSteps,
  );
  gauge(
    "berth_workflow_set_aside_records",
    "Stored jobs that could not be read",
    gauges.setAsideRecords,
  );
  const jobs = new Counter({
    name: "berth_workflow_jobs_total",
    help: "Runs of jobs by how they ended",
    labelNames: ["state"],
    registers,
  });
  const attempts = new Counter({
    name: "berth_workflow_attempts_total",
    help: "Attempts of steps by how they ended",
    labelNames: ["outcome", "cached"],
    registers,
  });
  const buckets = [...durationBuckets];
  const delay = new Histogram({
    name: "berth_workflow_scheduling_delay_seconds",
    help: "From when a step could begin, and had a place, until the engine was asked",
    buckets,
    registers,
  });
  const duration = new Histogram({
    name: "berth_workflow_attempt_seconds",
    help: "Time of an attempt, the engine's queue included",
    buckets,
    registers,
  });
  return {
    attemptSent: (delayMs) => delay.observe(delayMs / 1_000),
    attemptEnded: ({ outcome, durationMs }) => {
      const cached = outcome.kind === "ended" && outcome.result.cached;
      attempts.inc({ outcome: outcome.kind, cached: String(cached) });
      duration.observe(durationMs / 1_000);
    },
    jobEnded: ({ state }) => jobs.inc({ state: state.kind }),
  };
}
