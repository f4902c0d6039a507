import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Code, StatusError } from "../../../../lib/status/index.js";
import { HttpScenario } from "../../testing/http-scenario.js";

let api: HttpScenario;
beforeEach(async () => {
  api = await HttpScenario.scripted();
});
afterEach(() => api.server.stop(0));

const unknown = "51E0E756-A6B4-9CC7-67BD-364970C2268C";
const one = { steps: [{ image: "debian" }] };

/** A job that has run its only step. */
async function endedJob(exitCode: number): Promise<string> {
  const { id } = (await api.post("/v1/jobs", one)).json;
  api.workflow.prepare(id);
  api.workflow.start(id, "step-1");
  api.workflow.end(id, "step-1", { exitCode });
  return id;
}

test("POST /v1/jobs makes a job of JSON", async () => {
  const { status, headers, json } = await api.post("/v1/jobs", {
    name: "word count",
    labels: { team: "a/b" },
    steps: [{ image: "debian", command: "echo a" }],
  });
  expect(status).toBe(201);
  expect(headers.location).toBe(`/v1/jobs/${json.id}`);
  const { createdAt } = json;
  const url = `/v1/jobs/${json.id}/steps/step-1`;
  expect(json).toEqual({
    id: json.id,
    name: "word count",
    labels: { team: "a/b" },
    state: "preparing",
    createdAt,
    startedAt: createdAt,
    run: 1,
    stepsTotal: 1,
    stepsSucceeded: 0,
    stepsCached: 0,
    steps: [
      {
        name: "step-1",
        state: "waiting",
        needs: [],
        image: { reference: "debian" },
        cache: false,
        cached: false,
        retry: "infrastructure",
        attempts: 0,
        log: {
          isLive: false,
          stdout: { url: `${url}/stdout` },
          stderr: { url: `${url}/stderr` },
        },
        outputs: [],
      },
    ],
  });
});

test("POST /v1/jobs makes the same of YAML", async () => {
  const body = `
name: word count
environment: &all { A: "1" }
cache: true
steps:
  - name: make
    image: debian
    command: |
      echo a
    environment: *all
  - image: debian
    stdin: make/stderr
    timeout: 1.5m
`;
  const headers = { "content-type": "application/yaml; charset=utf-8" };
  const { status, json } = await api.send("POST", "/v1/jobs", {
    body,
    headers,
  });
  expect(status).toBe(201);
  const { job } = await api.workflow.get({ tenant: "", id: json.id });
  const [first, second] = job.steps.map((step) => step.specification);
  expect(first?.work).toMatchObject({
    entrypoint: ["/bin/sh", "-c", "echo a\n"],
    environment: [{ name: "A", value: "1" }],
  });
  expect(second).toMatchObject({
    name: "step-2",
    needs: ["make"],
    cache: true,
    timeoutMs: 90_000,
    work: { stdin: { step: "make", output: "stderr" } },
  });
});

test("POST /v1/jobs with a key makes one job, however often it is sent", async () => {
  const key = { "idempotency-key": "a b" };
  const first = await api.post("/v1/jobs", one, key);
  const again = await api.post("/v1/jobs", one, key);
  const other = await api.post("/v1/jobs", { ...one, name: "x" }, key);
  expect([first.status, again.status, other.status]).toEqual([201, 200, 422]);
  expect(again.json).toEqual(first.json);
  expect(again.headers.location).toBe(first.headers.location);
  expect(other.json.error.code).toBe("FAILED_PRECONDITION");
  expect((await api.get("/v1/jobs")).json.jobs).toHaveLength(1);
});

test("GET /v1/jobs filters, and goes on behind a page", async () => {
  const ids: string[] = [];
  for (const name of ["a", "b", "a"]) {
    const labels = { name, k: "x:y" };
    ids.unshift((await api.post("/v1/jobs", { ...one, name, labels })).json.id);
  }
  const list = async (query: string) => {
    const { json } = await api.get(`/v1/jobs?${query}`);
    return json.jobs.map((job: { id: string }) => ids.indexOf(job.id));
  };
  expect(await list("")).toEqual([0, 1, 2]);
  expect(await list("name=a")).toEqual([0, 2]);
  expect(await list("label=name:b&label=k:x:y")).toEqual([1]);
  expect(await list("state=running")).toEqual([]);
  expect(await list("state=running&state=preparing")).toEqual([0, 1, 2]);
  const { json } = await api.get("/v1/jobs?limit=2");
  expect(json.jobs).toHaveLength(2);
  expect(await list(`limit=2&cursor=${json.cursor}`)).toEqual([2]);
});

test.each([
  "state=lost",
  "limit=0",
  "limit=501",
  "limit=1&limit=2",
  "label=x",
  "nme=a",
  `cursor=${"x".repeat(2_000)}`,
])("GET /v1/jobs?%.20s is 400", async (query) => {
  const { status, json } = await api.get(`/v1/jobs?${query}`);
  expect([status, json.error.code]).toEqual([400, "INVALID_ARGUMENT"]);
});

test("GET /v1/jobs/{id} shows a step's end", async () => {
  const { id } = (
    await api.post("/v1/jobs", {
      steps: [{ image: "a", outputs: [{ name: "o", path: "/o" }] }],
    })
  ).json;
  api.workflow.prepare(id);
  const shown = async () => (await api.get(`/v1/jobs/${id}`)).json.steps[0];
  api.workflow.start(id, "step-1");
  expect(await shown()).toMatchObject({
    state: "running",
    attempts: 1,
    log: { isLive: true },
  });
  api.workflow.write(id, "step-1/stdout", "five\n");
  const digest = `${"a".repeat(64)}/3`;
  api.workflow.end(id, "step-1", {
    exitCode: 3,
    outputs: [{ name: "o", kind: "file", digest }],
    times: { executionStart: 0, executionEnd: 1_500 },
  });
  const url = `/v1/jobs/${id}/steps/step-1`;
  expect(await shown()).toMatchObject({
    state: "failed",
    reason: {
      code: "EXIT_CODE",
      text: "The program ended with exit code 3",
    },
    exitCode: 3,
    startedAt: "1970-01-01T00:00:00.000Z",
    times: { executionEnd: "1970-01-01T00:00:01.500Z" },
    log: {
      isLive: false,
      stdout: { url: `${url}/stdout`, sizeBytes: 5 },
      stderr: { url: `${url}/stderr`, sizeBytes: 0 },
    },
    outputs: [
      { name: "o", path: "/o", kind: "file", digest, url: `${url}/outputs/o` },
    ],
  });
});

test("jobs are cancelled, retried and deleted in the right states only", async () => {
  const id = await endedJob(1);
  const send = async (method: string, path: string) =>
    (await api.send(method, `/v1/jobs/${id}${path}`)).status;
  expect(await send("POST", "/cancel")).toBe(409);
  expect(await send("POST", "/retry")).toBe(202);
  expect(await send("POST", "/retry")).toBe(409);
  expect(await send("DELETE", "")).toBe(409);
  expect(await send("POST", "/cancel")).toBe(202);
  expect(await send("DELETE", "")).toBe(204);
  expect(await send("DELETE", "")).toBe(404);
  expect((await api.get(`/v1/jobs/${id}`)).status).toBe(404);
});

test("POST /v1/jobs/{id}/retry takes an empty body of any type", async () => {
  const id = await endedJob(1);
  const { status, json } = await api.send("POST", `/v1/jobs/${id}/retry`, {
    headers: { "content-type": "application/json", "content-length": "0" },
  });
  expect([status, json.run, json.state]).toEqual([202, 2, "preparing"]);
});

test.each([
  ["GET", ""],
  ["DELETE", ""],
  ["POST", "/cancel"],
  ["POST", "/retry"],
  ["GET", "/events"],
  ["GET", "/steps/a/stdout"],
  ["GET", "/steps/a/outputs/b"],
  ["GET", "/steps/a/outputs/b/c"],
])("%s /v1/jobs/{id}%s of no job is 404", async (method, path) => {
  for (const id of [unknown, "x", "..", "%00", "a".repeat(200)]) {
    const { status, json } = await api.send(method, `/v1/jobs/${id}${path}`);
    expect([id, status, json.error.code]).toEqual([id, 404, "NOT_FOUND"]);
  }
});

test.each([
  [Code.Unavailable, 503, "UNAVAILABLE", "why"],
  [Code.ResourceExhausted, 429, "RESOURCE_EXHAUSTED", "why"],
  [Code.PermissionDenied, 403, "PERMISSION_DENIED", "why"],
  [Code.DeadlineExceeded, 504, "DEADLINE_EXCEEDED", "why"],
  [Code.Internal, 500, "INTERNAL", "Internal error"],
] as const)(
  "a failure of code %i is answered %i",
  async (code, status, name, message) => {
    api.workflow.failure = new StatusError(code, "why");
    const answer = await api.post("/v1/jobs", one);
    expect([answer.status, answer.json]).toEqual([
      status,
      { error: { code: name, message } },
    ]);
    const isForLater = status === 429 || status === 503;
    expect(answer.headers["retry-after"]).toBe(isForLater ? "1" : undefined);
  },
);
