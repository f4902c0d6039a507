// Proves that jobs go on when their store, a Redis, is away for a while, and
// that those who ask meanwhile are told so.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { JobView } from "../../lib/job-api/index.js";
import { eventually } from "../fixtures/eventually.js";
import { RedisServerProcess } from "../fixtures/redis-server.js";
import type { WorkflowProcess } from "../fixtures/workflow-process.js";
import { WorkflowScenario } from "../fixtures/workflow-scenario.js";

let scenario: WorkflowScenario;
let redis: RedisServerProcess;
let service: WorkflowProcess;

beforeAll(async () => {
  scenario = await WorkflowScenario.start();
  redis = await RedisServerProcess.start(
    ...["--appendonly", "yes", "--appendfsync", "always"],
  );
  const store = { kind: "redis", url: redis.url };
  service = await scenario.startService("redis", { store });
}, 60_000);

afterAll(async () => {
  await scenario.stop();
  await redis.stop();
});

async function call(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: JobView }> {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as JobView };
}

test("a job goes on when Redis was killed and is back", async () => {
  const mark = join(scenario.marks, "redis");
  const step = (name: string, seconds: number) => ({
    name,
    image: scenario.image,
    retry: "never",
    entrypoint: [
      "/bin/sh",
      "-ec",
      `umask 0; echo ${name} >> ${mark}; sleep ${seconds}`,
    ],
  });
  const steps = [step("a", 2), step("b", 0), step("c", 0)];
  const { status, body } = await call("POST", "/v1/jobs", { steps });
  expect(status).toBe(201);
  await eventually(async () => {
    expect(await readFile(mark, "utf8")).toBe("a\n");
  });
  await redis.kill();
  const refused = await call("POST", "/v1/jobs", { steps });
  expect(refused).toMatchObject({
    status: 503,
    body: { error: { code: "UNAVAILABLE" } },
  });
  await sleep(4_000); // the first step has ended meanwhile
  expect(await readFile(mark, "utf8")).toBe("a\n");
  await redis.restart();
  await eventually(async () => {
    const job = await call("GET", `/v1/jobs/${body.id}`);
    expect(job).toMatchObject({ status: 200, body: { state: "succeeded" } });
  }, 60_000);
  expect(await readFile(mark, "utf8")).toBe("a\nb\nc\n");
}, 120_000);
