import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { HttpScenario } from "../../testing/http-scenario.js";

let api: HttpScenario;
beforeEach(async () => {
  api = await HttpScenario.scripted();
});
afterEach(() => api.server.stop(0));

/** The steps of a job, as the workflow knows them. */
async function stepsOf(id: string): Promise<unknown> {
  const { job } = await api.workflow.get({ tenant: "", id });
  return job.steps.map(({ specification }) => specification);
}

test.each([
  ["little", { steps: [{ image: "debian" }] }],
  [
    "much",
    {
      name: "much",
      labels: { team: "a" },
      environment: { A: "1", B: "1" },
      cache: true,
      steps: [
        {
          image: "debian:12",
          command: "echo $A > /out/x; sleep 1",
          outputs: [{ name: "out", path: "/out/" }],
          timeout: "15m",
        },
        {
          name: "b",
          image: "debian",
          refresh: true,
          entrypoint: ["/bin/sh", "-c"],
          command: ["true"],
          environment: { B: "2" },
          secrets: { PASSWORD: "db-main" },
          user: "daemon:1",
          workingDirectory: "/srv",
          network: "none",
          needs: ["step-1"],
          stdin: "step-1/stderr",
          inputs: [{ from: { step: "step-1", output: "out" }, path: "/in" }],
          cache: false,
          retry: "never",
          timeout: 0.25,
        },
        { name: "c", image: "debian", needs: [], entrypoint: ["x", "-c", "y"] },
      ],
    },
  ],
])("submissionOfJob() makes the same again of %s", async (_what, job) => {
  const { id } = (await api.post("/v1/jobs", job)).json;
  const { status, json } = await api.get(`/v1/jobs/${id}/submission`);
  expect(status).toBe(200);
  const again = await api.post("/v1/jobs", json);
  expect(again.status).toBe(201);
  expect(await stepsOf(again.json.id)).toEqual(await stepsOf(id));
  const { name, labels } = again.json;
  expect({ name, labels }).toEqual({
    name: "name" in job ? job.name : undefined,
    labels: "labels" in job ? job.labels : {},
  });
});

test("submissionOfJob() gives the text that a shell runs as a text", async () => {
  const job = { steps: [{ image: "debian", command: "a | b" }] };
  const { id } = (await api.post("/v1/jobs", job)).json;
  const { json } = await api.get(`/v1/jobs/${id}/submission`);
  expect(json.steps[0]).toMatchObject({ command: "a | b" });
  expect(json.steps[0].entrypoint).toBeUndefined();
});

test("GET /v1/jobs/{id}/submission knows no job of nobody", async () => {
  const id = "51E0E756-A6B4-9CC7-67BD-364970C2268C";
  expect((await api.get(`/v1/jobs/${id}/submission`)).status).toBe(404);
});

test("GET /v1/jobs/{id} tells how earlier runs ended", async () => {
  const job = { steps: [{ image: "debian" }] };
  const { id } = (await api.post("/v1/jobs", job)).json;
  api.workflow.prepare(id);
  api.workflow.start(id, "step-1");
  api.workflow.end(id, "step-1", { exitCode: 3 });
  const first = (await api.get(`/v1/jobs/${id}`)).json;
  expect(first.pastRuns).toBeUndefined();
  const { json } = await api.send("POST", `/v1/jobs/${id}/retry`);
  const { state, reason, startedAt, endedAt } = first;
  expect(json.pastRuns).toEqual([{ state, reason, startedAt, endedAt }]);
});
