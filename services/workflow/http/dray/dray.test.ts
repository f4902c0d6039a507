import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Code, StatusError } from "../../../../lib/status/index.js";
import { HttpScenario } from "../../testing/http-scenario.js";

let api: HttpScenario;
beforeEach(async () => {
  api = await HttpScenario.scripted();
});
afterEach(() => api.server.stop(0));

/** As Dray's document has it, its commas and tabs included. */
const demoJob = `{  
  "name":"Demo Job",
  "steps":[  
    {  
      "name":"random-word",
      "source":"centurylink/randword",
      "environment":[  
        { "variable":"WORD_COUNT", "value":"10" }
      ]
    },
    {  
      "name":"uppercase",
      "source":"centurylink/upper"
    },
    {  
      "name":"reverse",
      "source":"centurylink/reverse"
    },\t    
  ]
}`;

const two = {
  steps: [{ source: "a" }, { source: "b" }],
};

const unknown = "51E0E756-A6B4-9CC7-67BD-364970C2268C";

test("POST /jobs echoes the document's example behind the job's id", async () => {
  const { status, headers, text, json } = await api.send("POST", "/jobs", {
    body: demoJob,
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  expect(status).toBe(201);
  expect(headers["content-type"]).toBe("application/json; charset=utf-8");
  expect(headers.location).toBe(`/jobs/${json.id}`);
  const sent = JSON.parse(demoJob.replace("},\t", "}"));
  expect(text).toBe(JSON.stringify({ id: json.id, ...sent }));
  expect(json.id).toMatch(/^[0-9A-F]{8}-([0-9A-F]{4}-){3}[0-9A-F]{12}$/);
});

test("POST /jobs keeps fields in the order in which they were sent", async () => {
  const body = '{"steps":[{"refresh":true,"source":"a"}],"name":"b"}';
  const { text, json } = await api.send("POST", "/jobs", { body });
  expect(text).toBe(`{"id":"${json.id}",${body.slice(1)}`);
});

test("POST /jobs makes a chain that is never cached", async () => {
  const { json } = await api.post("/jobs", {
    environment: [
      { variable: "A", value: "job" },
      { variable: "B", value: "job" },
    ],
    steps: [
      { source: "one", output: "stderr" },
      { source: "two:v1", output: "/output.txt", refresh: true },
      { source: "three", environment: [{ variable: "B", value: "step" }] },
    ],
  });
  const { job } = await api.workflow.get({ tenant: "", id: json.id });
  const common = { cache: false, retry: "infrastructure" };
  const environment = [
    { name: "A", value: "job" },
    { name: "B", value: "job" },
  ];
  const container = {
    kind: "container",
    refresh: false,
    environment,
    secrets: [],
    inputs: [],
    outputs: [],
  };
  expect(job.steps.map(({ specification }) => specification)).toEqual([
    {
      ...common,
      name: "step-1",
      needs: [],
      work: { ...container, image: "one" },
    },
    {
      ...common,
      name: "step-2",
      needs: ["step-1"],
      work: {
        ...container,
        image: "two:v1",
        refresh: true,
        stdin: { step: "step-1", output: "stderr" },
        outputs: [{ name: "output", path: "/output.txt" }],
      },
    },
    {
      ...common,
      name: "step-3",
      needs: ["step-2"],
      work: {
        ...container,
        image: "three",
        environment: [...environment, { name: "B", value: "step" }],
        stdin: { step: "step-2", output: "output" },
      },
    },
  ]);
});

test("GET /jobs/{id} tells id, completed steps and status, nothing else", async () => {
  const { id } = (await api.post("/jobs", two)).json;
  const status = async () => (await api.get(`/jobs/${id}`)).json;
  expect(await status()).toEqual({ id, stepsCompleted: 0, status: "running" });
  api.workflow.prepare(id);
  api.workflow.start(id, "step-1");
  api.workflow.end(id, "step-1");
  expect(await status()).toEqual({ id, stepsCompleted: 1, status: "running" });
  api.workflow.start(id, "step-2");
  api.workflow.end(id, "step-2");
  expect(await status()).toEqual({ id, stepsCompleted: 2, status: "complete" });
});

test("GET /jobs/{id} is of status error once a step failed", async () => {
  const { id } = (await api.post("/jobs", two)).json;
  api.workflow.prepare(id);
  api.workflow.start(id, "step-1");
  api.workflow.end(id, "step-1", { exitCode: 3 });
  const { json } = await api.get(`/jobs/${id}`);
  expect(json).toEqual({ id, stepsCompleted: 0, status: "error" });
});

test("GET /jobs lists every job, over all pages", async () => {
  const ids: string[] = [];
  for (let at = 0; at < 501; at++) {
    const job = { tenant: "", labels: {}, steps: [] };
    ids.unshift((await api.workflow.submit(job)).snapshot.job.id);
  }
  const { status, json } = await api.get("/jobs", { accept: "text/html" });
  expect(status).toBe(200);
  expect(json).toEqual(ids.map((id) => ({ id })));
});

test("GET /jobs/{id}/log gives the lines from an index on", async () => {
  const { id } = (await api.post("/jobs", two)).json;
  api.workflow.prepare(id);
  api.workflow.start(id, "step-1");
  api.workflow.write(id, "step-1/stdout", "a\nb\nc\n");
  const lines = async (query: string) =>
    (await api.get(`/jobs/${id}/log${query}`)).json;
  expect(await lines("")).toEqual({ lines: ["a", "b", "c"] });
  expect(await lines("?index=2")).toEqual({ lines: ["c"] });
  expect(await lines("?index=9")).toEqual({ lines: [] });
  for (const index of ["-1", "x", "", "1.5", "1e3", "9".repeat(20)]) {
    const { status, json } = await api.get(`/jobs/${id}/log?index=${index}`);
    expect([index, status]).toEqual([index, 400]);
    expect(json.error.message).toBe("index: must be a whole number from 0 on");
  }
});

test("GET /jobs/{id}/log gives 100,000 lines at a time", async () => {
  const { id } = (await api.post("/jobs", two)).json;
  api.workflow.prepare(id);
  api.workflow.start(id, "step-1");
  api.workflow.write(id, "step-1/stdout", "x\n".repeat(100_500));
  const length = async (index: number) =>
    (await api.get(`/jobs/${id}/log?index=${index}`)).json.lines.length;
  expect([await length(0), await length(100_000)]).toEqual([100_000, 500]);
});

test("DELETE /jobs/{id} forgets a job without stopping it", async () => {
  const { id } = (await api.post("/jobs", two)).json;
  api.workflow.prepare(id);
  api.workflow.start(id, "step-1");
  const { status, text } = await api.send("DELETE", `/jobs/${id}`);
  expect([status, text]).toEqual([204, ""]);
  expect((await api.get(`/jobs/${id}`)).status).toBe(404);
  expect((await api.get("/jobs")).json).toEqual([]);
  api.workflow.end(id, "step-1"); // it goes on
});

test.each([
  ["GET", `/jobs/${unknown}`],
  ["GET", `/jobs/${unknown}/log`],
  ["DELETE", `/jobs/${unknown}`],
  ["GET", "/jobs/no-id"],
  ["GET", "/jobs/..%2f..%2fetc"],
])("%s %s is 404", async (method, path) => {
  const { status, json } = await api.send(method, path);
  expect([status, json.error.code]).toEqual([404, "NOT_FOUND"]);
});

test("Dray's API answers 500 where the store is away", async () => {
  api.workflow.failure = new StatusError(Code.Unavailable, "Redis is away");
  const { status, json } = await api.get("/jobs");
  expect([status, json]).toEqual([
    500,
    { error: { code: "UNAVAILABLE", message: "Redis is away" } },
  ]);
});

test.each([
  ["", "The request's body must be JSON"],
  ["{", "The request's body must be JSON"],
  ['{"steps":[,]}', "The request's body must be JSON"],
  ['{"steps":[{"source":"a"},,]}', "The request's body must be JSON"],
  ["[]", "The request: must be an object"],
  ["{}", 'The request: must have "steps"'],
  ['{"steps":[]}', "steps: must not be empty"],
  ['{"steps":[{}]}', 'steps.0: must have "source"'],
  ['{"steps":[{"source":"a"}],"id":"x"}', "id: there is no such field"],
  [
    '{"steps":[{"source":"a","privileged":true}]}',
    "steps.0.privileged: there is no such field",
  ],
  [
    '{"steps":[{"source":"a","output":"file"}]}',
    'steps.0.output: must be "stdout", "stderr" or the absolute path of a file',
  ],
  [
    '{"steps":[{"source":"a","environment":[{"variable":"A=B","value":""}]}]}',
    'steps.0.environment.0.variable: must not be empty, nor hold "=" or NUL',
  ],
  [
    '{"steps":[{"source":"a"}],"__proto__":{}}',
    'No field can have the name "__proto__"',
  ],
])("POST /jobs refuses %s", async (body, message) => {
  const { status, json } = await api.send("POST", "/jobs", { body });
  expect(json).toEqual({ error: { code: "INVALID_ARGUMENT", message } });
  expect(status).toBe(400);
});

test("POST /jobs refuses what is no UTF-8, whatever its Content-Type", async () => {
  for (const type of [
    "text/plain",
    "nonsense",
    "application/json; charset=x",
  ]) {
    const { status, json } = await api.send("POST", "/jobs", {
      body: Buffer.from([0x22, 0xff, 0x22]),
      headers: { "content-type": type },
    });
    expect([type, status, json.error.message]).toEqual([
      type,
      400,
      "The request's body must be UTF-8",
    ]);
  }
});
