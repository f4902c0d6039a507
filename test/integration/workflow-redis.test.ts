// Proves that jobs go on when their store, a Redis, is away for a while, and
// that those who ask meanwhile are told so.
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { JobView } from "../../lib/job-api/index.js";
import {
  type EngineProcess,
  startEngineProcess,
} from "../../services/workflow/testing/engine-process.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { eventually } from "../fixtures/eventually.js";
import { RedisServerProcess } from "../fixtures/redis-server.js";
import { buildTestImage, pushTestImage } from "../fixtures/test-image.js";
import {
  startWorkflowProcess,
  type WorkflowProcess,
} from "../fixtures/workflow-process.js";

let folder: string;
let engine: EngineProcess;
let registry: ChildServer;
let redis: RedisServerProcess;
let service: WorkflowProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-redis-"));
  await chmod(folder, 0o777); // steps leave marks there
  engine = await startEngineProcess(folder);
  registry = await startDockerRegistry();
  await pushTestImage(registry.host, "tools", {
    image: buildTestImage(),
    tag: "latest",
  });
  redis = await RedisServerProcess.start(
    ...["--appendonly", "yes", "--appendfsync", "always"],
  );
  service = await startWorkflowProcess(folder, {
    engine: { address: engine.address },
    registries: { [registry.host]: { plainHttp: true } },
    store: { kind: "redis", url: redis.url },
  });
}, 60_000);

afterAll(async () => {
  await service.kill();
  await redis.stop();
  await engine.kill();
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
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
  const mark = join(folder, "marks");
  const step = (name: string, seconds: number) => ({
    name,
    image: `${registry.host}/tools:latest`,
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
