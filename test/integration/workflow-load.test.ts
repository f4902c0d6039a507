// Proves that a thousand jobs at once are neither lost nor confused, and that
// none of their steps waits for the service.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { JobList, JobView } from "../../lib/job-api/index.js";
import { eventually } from "../fixtures/eventually.js";
import type { WorkflowProcess } from "../fixtures/workflow-process.js";
import { WorkflowScenario } from "../fixtures/workflow-scenario.js";

const jobs = 1_000;
const steps = 5;

let scenario: WorkflowScenario;
let service: WorkflowProcess;

beforeAll(async () => {
  scenario = await WorkflowScenario.start();
  const diagnostics = "127.0.0.1:0";
  service = await scenario.startService("load", { diagnostics });
}, 60_000);
afterAll(() => scenario.stop());

async function submit(index: number): Promise<string> {
  const { image } = scenario;
  const response = await fetch(`${service.url}/v1/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      name: `job-${index}`,
      steps: Array.from({ length: steps }, (_, step) => ({
        name: `s${step}`,
        image,
        entrypoint: ["/bin/echo", `${index}/${step}`],
      })),
    }),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as JobView).id;
}

async function json<T>(path: string): Promise<T> {
  const response = await fetch(`${service.url}${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

/** A histogram's smallest bound that 99 % do not exceed, in seconds. */
async function scheduling99(): Promise<number> {
  const address = /"diagnosticsAddress":"([^"]+)"/.exec(service.log())?.[1];
  const metrics = await (await fetch(`http://${address}/metrics`)).text();
  const name = "berth_workflow_scheduling_delay_seconds";
  const total = Number(new RegExp(`${name}_count (\\d+)`).exec(metrics)?.[1]);
  expect(total).toBe(jobs * steps);
  for (const [, bound, count] of metrics.matchAll(
    new RegExp(`${name}_bucket\\{le="([^"]+)"\\} (\\d+)`, "g"),
  )) {
    if (Number(count) >= total * 0.99) return Number(bound);
  }
  return Number.POSITIVE_INFINITY;
}

test("a thousand jobs of five steps end, each with its own output", async () => {
  const ids: string[] = [];
  for (let at = 0; at < jobs; at += 50) {
    const batch = Array.from({ length: 50 }, (_, each) => submit(at + each));
    ids.push(...(await Promise.all(batch)));
  }
  expect(new Set(ids).size).toBe(jobs);
  await eventually(async () => {
    const unfinished = await json<JobList>(
      "/v1/jobs?state=preparing&state=running&limit=1",
    );
    expect(unfinished.jobs).toEqual([]);
  }, 300_000);
  for (const [index, id] of ids.entries()) {
    const job = await json<JobView>(`/v1/jobs/${id}`);
    expect(job).toMatchObject({ state: "succeeded", stepsSucceeded: steps });
    expect(job.steps.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1, 1]);
    if (index % 50 > 0) continue;
    const log = await json<{ lines: string[] }>(`/jobs/${id}/log`);
    expect(log.lines).toEqual(
      [0, 1, 2, 3, 4].map((step) => `${index}/${step}`),
    );
  }
  // Nobody is forgotten; how quick it is, `make bench` shows.
  expect(await scheduling99()).toBeLessThanOrEqual(10);
}, 400_000);
