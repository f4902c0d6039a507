// Proves that jobs survive kill -9 of the service at any moment: what was
// acknowledged runs, and ends exactly once.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { JobView } from "../../lib/job-api/index.js";
import type { WorkflowProcess } from "../fixtures/workflow-process.js";
import { WorkflowScenario } from "../fixtures/workflow-scenario.js";

/** Points of time, in all lanes together. */
const kills = 200;
/** Services, each with a store of its own, on one engine. */
const lanes = 4;

let scenario: WorkflowScenario;
beforeAll(async () => {
  scenario = await WorkflowScenario.start();
}, 60_000);
afterAll(() => scenario.stop());

/** A job whose steps leave a mark each time that they run. */
function submission(mark: string) {
  const { image } = scenario;
  const step = (name: string, retry: string) => ({
    name,
    image,
    retry,
    // Steps run as different users of the machine.
    entrypoint: [
      "/bin/sh",
      "-ec",
      `umask 0; echo ${name} >> ${mark}; sleep 0.05`,
    ],
  });
  return {
    name: mark,
    steps: [
      step("first", "infrastructure"),
      step("once", "never"),
      step("last", "infrastructure"),
    ],
  };
}

/** Undefined if the service was killed before it had answered. */
async function post(url: string, body: unknown): Promise<JobView | undefined> {
  const answer = await fetch(`${url}/v1/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })
    .then(async (response) => ({
      status: response.status,
      text: await response.text(),
    }))
    .catch(() => undefined);
  if (answer === undefined) return undefined;
  expect(answer).toMatchObject({ status: 201 });
  return JSON.parse(answer.text) as JobView;
}

async function get(url: string, id: string): Promise<JobView> {
  const response = await fetch(`${url}/v1/jobs/${id}`);
  expect(response.status).toBe(200);
  return (await response.json()) as JobView;
}

/** One service that is killed and started; gives its acknowledged jobs. */
async function runLane(lane: number) {
  const acknowledged = new Map<string, string>();
  const start = () =>
    scenario.startService(`lane-${lane}`, {
      steps: { maximumAttempts: 100, retryDelay: "10ms" },
    });
  for (let round = 0; round < kills / lanes; round++) {
    const service = await start();
    const mark = join(scenario.marks, `${lane}-${round}`);
    const posted = post(service.url, submission(mark));
    // From before the answer to after the last step.
    await sleep((round * 997) % 500);
    await service.kill();
    const job = await posted;
    if (job !== undefined) acknowledged.set(job.id, mark);
  }
  return { service: await start(), acknowledged };
}

async function endOf(service: WorkflowProcess, id: string): Promise<JobView> {
  for (;;) {
    const job = await get(service.url, id);
    if (["succeeded", "failed", "cancelled"].includes(job.state)) return job;
    await sleep(50);
  }
}

test("jobs survive 200 kills of the service, and end exactly once", async () => {
  const running = await Promise.all(
    Array.from({ length: lanes }, (_, lane) => runLane(lane)),
  );
  let lost = 0;
  for (const { service, acknowledged } of running) {
    expect(acknowledged.size).toBeGreaterThan(kills / lanes / 3);
    for (const [id, mark] of acknowledged) {
      const job = await endOf(service, id);
      const marks = readFileSync(mark, "utf8").trim().split("\n");
      const counts = (name: string) => marks.filter((m) => m === name).length;
      expect(counts("first")).toBeGreaterThanOrEqual(1);
      expect(counts("once")).toBeLessThanOrEqual(1);
      const states = job.steps.map(({ state }) => state);
      if (job.state === "succeeded") {
        expect(states).toEqual(["succeeded", "succeeded", "succeeded"]);
        expect(counts("once")).toBe(1);
      } else {
        // Whether it ran is unknown; that is said, and nothing is repeated.
        expect(states).toEqual(["succeeded", "lost", "skipped"]);
        lost++;
      }
    }
  }
  // Only where it was killed between asking the engine and its answer.
  expect(lost).toBeLessThan(kills / 10);
  const ended = await Promise.all(
    running.map(async ({ service, acknowledged }) => {
      const ids = [...acknowledged.keys()];
      const read = () => Promise.all(ids.map((id) => get(service.url, id)));
      const before = await read();
      expect(await service.stop()).toBe(0);
      expect(service.log()).not.toContain('"level":"error"');
      return before;
    }),
  );
  expect(ended.flat().length).toBeGreaterThan(kills / 3);
}, 400_000);
