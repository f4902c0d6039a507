import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { JobMessage } from "../../../lib/job-api/index.js";
import { eventually } from "../../../test/fixtures/eventually.js";
import { buildTestImage } from "../../../test/fixtures/test-image.js";
import type { JobWorkflow } from "../execution/job-workflow.js";
import { EventReader } from "../testing/event-reader.js";
import { HttpScenario } from "../testing/http-scenario.js";
import { JobScenario } from "../testing/job-scenario.js";

// Both APIs on the real workflow: a store on disk, and an engine's process.
const maximumUnfinishedJobs = 4;
let jobs: JobScenario;
let api: HttpScenario<JobWorkflow>;
beforeAll(async () => {
  jobs = await JobScenario.start({ maximumUnfinishedJobs });
  const entrypoint = (script: string) =>
    buildTestImage({
      config: { config: { Entrypoint: ["/bin/sh", "-c", script] } },
    });
  jobs.images.add(
    "images.example/words",
    entrypoint("echo a; echo b"),
    "latest",
  );
  jobs.images.add(
    "images.example/fail",
    entrypoint("echo no >&2; exit 3"),
    "v1",
  );
  api = await HttpScenario.start(jobs.workflow);
}, 60_000);
afterAll(async () => {
  await api.server.stop(0);
  await jobs.stop();
  expect(jobs.errors).toEqual([]);
});

const image = "images.example/tools:1";

/** Submits steps that run these scripts one after the other. */
async function submit(...scripts: string[]): Promise<string> {
  const steps = scripts.map((command) => ({ image, command }));
  const { status, json } = await api.post("/v1/jobs", { steps });
  expect(status).toBe(201);
  return json.id;
}

function follow(id: string, lastId?: string): Promise<EventReader> {
  const url = `http://${api.server.address}/v1/jobs/${id}/events?log=true`;
  return EventReader.open(url, lastId);
}

function logOf(messages: readonly JobMessage[]): string {
  return messages
    .map((message) => (message.kind === "log" ? message.text : ""))
    .join("");
}

test("a job of Dray's API runs to its end, and shows its log", async () => {
  const { json } = await api.post("/jobs", {
    steps: [
      { source: "images.example/words" },
      { source: "images.example/fail:v1" },
      { source: "images.example/words" },
    ],
  });
  const path = `/jobs/${json.id}`;
  await eventually(async () =>
    expect((await api.get(path)).json).toEqual({
      id: json.id,
      stepsCompleted: 1,
      status: "error",
    }),
  );
  const log = await api.get(`${path}/log`);
  expect(log.json).toEqual({ lines: ["a", "b", "no"] });
  const rest = await api.get(`${path}/log?index=2`);
  expect(rest.json).toEqual({ lines: ["no"] });
  expect((await api.get("/jobs")).json).toContainEqual({ id: json.id });
  expect((await api.send("DELETE", path)).status).toBe(204);
  expect((await api.get(path)).status).toBe(404);
});

test("a job is followed while it runs, by readers that come and go", async () => {
  const id = await submit("echo one; sleep 1; printf 'two €\\n'", "echo three");
  const first = await follow(id);
  const seen = await first.read(({ kind }) => kind === "log");
  expect(logOf(seen)).toBe("one\n");
  first.close();
  const rest = await (await follow(id, first.id)).read();
  expect(logOf(rest)).toBe("two €\nthree\n");
  expect(rest.at(-1)).toEqual({ kind: "end" });
  const last = rest.filter(({ kind }) => kind === "job").at(-1);
  expect(last).toMatchObject({
    job: {
      state: "succeeded",
      stepsSucceeded: 2,
      steps: [
        { state: "succeeded", image: { resolved: expect.any(String) } },
        { state: "succeeded", log: { stdout: { sizeBytes: 6 } } },
      ],
    },
  });
  expect(logOf(await (await follow(id)).read())).toBe("one\ntwo €\nthree\n");
});

test("bytes of a log are those that the step wrote", async () => {
  const id = await submit("head -c 3000000 /dev/zero | tr '\\0' x; sleep 0.3");
  const path = `/v1/jobs/${id}/steps/step-1/stdout`;
  await eventually(async () => expect((await api.get(path)).text).toMatch(/x/));
  const whole = await api.get(`${path}?follow=true`);
  expect([whole.status, whole.text.length]).toEqual([200, 3_000_000]);
  await eventually(async () => {
    const { headers } = await api.send("HEAD", path);
    expect(headers["content-length"]).toBe("3000000");
  });
  const part = await api.get(path, { range: "bytes=-2000000" });
  expect([part.status, part.text.length]).toEqual([206, 2_000_000]);
  expect(part.headers["content-range"]).toBe("bytes 1000000-2999999/3000000");
});

test("a job is cancelled, run again from where it failed, and removed", async () => {
  const id = await submit("echo kept", "exec sleep 600");
  const path = `/v1/jobs/${id}`;
  const stateOf = async () => (await api.get(path)).json.steps[1].state;
  await eventually(async () => expect(await stateOf()).toBe("running"));
  expect((await api.send("DELETE", path)).status).toBe(409);
  expect((await api.post(`${path}/retry`)).status).toBe(409);
  expect((await api.post(`${path}/cancel`)).status).toBe(202);
  await eventually(async () => expect(await stateOf()).toBe("cancelled"));
  const again = await api.post(`${path}/retry`);
  expect([again.status, again.json.run]).toEqual([202, 2]);
  await eventually(async () => expect(await stateOf()).toBe("running"));
  const { steps } = (await api.get(path)).json;
  expect(steps[0]).toMatchObject({ state: "succeeded", attempts: 1 });
  expect((await api.post(`${path}/cancel`)).status).toBe(202);
  await eventually(async () => {
    expect((await api.send("DELETE", path)).status).toBe(204);
  });
  expect((await api.get(path)).status).toBe(404);
});

test("a key makes one job in the store, and lists go on behind pages", async () => {
  const name = "listed";
  const job = { name, steps: [{ image, command: "true" }] };
  const key = (text: string) => ({ "idempotency-key": text });
  const first = await api.post("/v1/jobs", job, key("a"));
  const again = await api.post("/v1/jobs", job, key("a"));
  const second = await api.post("/v1/jobs", job, key("b"));
  expect([first.status, again.status, second.status]).toEqual([201, 200, 201]);
  expect(again.json.id).toBe(first.json.id);
  const changed = { ...job, labels: { a: "b" } };
  expect((await api.post("/v1/jobs", changed, key("a"))).status).toBe(422);
  const page = await api.get(`/v1/jobs?name=${name}&limit=1`);
  const next = await api.get(
    `/v1/jobs?name=${name}&limit=1&cursor=${encodeURIComponent(page.json.cursor)}`,
  );
  const ids = [...page.json.jobs, ...next.json.jobs].map(({ id }) => id);
  expect(ids.sort()).toEqual([first.json.id, second.json.id].sort());
  const wrong = await api.get("/v1/jobs?cursor=nonsense");
  expect([wrong.status, wrong.json.error.code]).toEqual([
    400,
    "INVALID_ARGUMENT",
  ]);
});

test("a key gives the job that it made when no more jobs are taken", async () => {
  const key = (text: string) => ({ "idempotency-key": text });
  const job = { steps: [{ image, command: "exec sleep 600" }] };
  await eventually(() => expect(jobs.workflow.unfinished).toBe(0));
  const ids: string[] = [];
  for (let at = 0; at < maximumUnfinishedJobs; at++) {
    const { status, json } = await api.post("/v1/jobs", job, key(`full-${at}`));
    expect(status).toBe(201);
    ids.push(json.id);
  }
  const again = await api.post("/v1/jobs", job, key("full-1"));
  expect([again.status, again.json.id]).toEqual([200, ids[1]]);
  const changed = { ...job, labels: { a: "b" } };
  const other = await api.post("/v1/jobs", changed, key("full-1"));
  expect(other.status).toBe(422);
  for (const headers of [undefined, key("full-new")]) {
    const refused = await api.post("/v1/jobs", job, headers);
    expect([refused.status, refused.json.error]).toEqual([
      429,
      {
        code: "RESOURCE_EXHAUSTED",
        message: `There are ${maximumUnfinishedJobs} jobs that have not ended, and no more than ${maximumUnfinishedJobs} are taken: try again later`,
      },
    ]);
  }
  for (const id of ids) await api.post(`/v1/jobs/${id}/cancel`);
  await eventually(() => expect(jobs.workflow.unfinished).toBe(0));
});
