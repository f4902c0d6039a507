// Many short jobs at once: what comes through, and what it takes.
import type { Digest } from "../lib/digest/index.js";
import { createBareActions } from "./bare-actions.js";
import { histogramQuantile } from "./histogram-quantile.js";
import { type JobScenario, peakMiB, processorMs } from "./job-scenario.js";
import { type BenchRow, compare } from "./report.js";

/** Of the goal. */
const jobs = 1_000;
const stepsOfJob = 5;

/** The service has so many steps at the engine at a time, and chains are. */
const atOnce = 200;

/** Requests under way at a time, and chains of bare actions. */
const requests = 50;
const bareChains = 200;

const program = ["/bin/true"];

/** Submits a thousand jobs, and waits for all of them. */
export async function benchJobLoad(scenario: JobScenario): Promise<BenchRow[]> {
  const steps = jobs * stepsOfJob;
  const bare = await bareStepsPerSecond(scenario);
  const before = await scenario.metrics();
  const workflow = scenario.service.pid;
  const engine = scenario.berth.pidOf("engine");
  const cpu = { workflow: processorMs(workflow), engine: processorMs(engine) };
  const seconds = await runJobs(scenario);
  const after = await scenario.metrics();
  const delay = (quantile: number) =>
    1_000 *
    histogramQuantile("berth_workflow_scheduling_delay_seconds", {
      ...{ before, after, quantile },
    });
  const name = `${jobs} jobs of ${stepsOfJob} steps`;
  const row = (what: string, ours: number, unit: string) => ({
    ...{ name: `${name}: ${what}`, ours, unit },
  });
  return [
    row("jobs in a second", jobs / seconds, "1/s"),
    compare(`${name}: steps in a second, against bare actions`, "1/s", {
      ours: steps / seconds,
      peer: bare,
    }),
    row("scheduling delay, median", delay(0.5), "ms"),
    row("scheduling delay, 99th percentile (goal < 500)", delay(0.99), "ms"),
    row("peak memory of the service (VmHWM)", peakMiB(workflow), "MiB"),
    row(
      "processor time of the service for a step",
      (processorMs(workflow) - cpu.workflow) / steps,
      "ms",
    ),
    row(
      "processor time of the engine for a step",
      (processorMs(engine) - cpu.engine) / steps,
      "ms",
    ),
  ];
}

/** Seconds from the first submission to the last end. */
async function runJobs(scenario: JobScenario): Promise<number> {
  const steps = Array.from({ length: stepsOfJob }, (_, index) => ({
    ...{ name: `s${index}`, entrypoint: program },
  }));
  const ids: string[] = [];
  const start = performance.now();
  await inTurns(jobs, requests, async () => {
    ids.push(await scenario.submit(steps));
  });
  // One after the other: all were under way before, and end by themselves.
  for (const id of ids) await scenario.follow(id);
  return (performance.now() - start) / 1_000;
}

/** The same actions in chains of the same length, without a job. */
async function bareStepsPerSecond(scenario: JobScenario): Promise<number> {
  using actions = createBareActions(scenario);
  const count = bareChains * stepsOfJob;
  const digests = await actions.prepare(program, count);
  const start = performance.now();
  await inTurns(bareChains, atOnce, async (chain) => {
    const from = chain * stepsOfJob;
    const own: readonly Digest[] = digests.slice(from, from + stepsOfJob);
    for (const digest of own) await actions.execute(digest);
  });
  return count / ((performance.now() - start) / 1_000);
}

/** Runs so many works, at most `width` of them at a time. */
async function inTurns(
  count: number,
  width: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
