import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createLogger, type Logger } from "../../../lib/log/index.js";
import { Code } from "../../../lib/status/index.js";
import { HttpScenario } from "../testing/http-scenario.js";
import { ScriptedWorkflow } from "../testing/scripted-workflow.js";
import { httpConfigurationSchema } from "./http-configuration.js";
import { configuredTenants } from "./tenants.js";

const tokens = { a: "token-of-tenant-a", b: "token-of-tenant-b" };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const sha256 = (text: string) =>
  createHash("sha256").update(text).digest("hex");

let folder: string;
let tokenFile: string;
let api: HttpScenario;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tenants-"));
  tokenFile = join(folder, "tokens");
  await writeFile(tokenFile, `# of a\n${tokens.a}\n\n another-token-of-a \n`);
  api = await HttpScenario.scripted({
    tenants: [
      {
        name: "a",
        tokenFile,
        secrets: ["db-*"],
        images: ["docker.io/library/*"],
      },
      { name: "b", tokens: [sha256(tokens.b)] },
    ],
  });
});
afterAll(async () => {
  await api.server.stop(0);
  await rm(folder, { recursive: true });
});

const one = { steps: [{ image: "debian" }] };

test.each([
  [undefined, 401],
  ["", 401],
  ["Bearer", 401],
  ["Bearer ", 401],
  [`Bearer ${tokens.a}`, 200],
  [`bearer  ${tokens.b} `, 200],
  ["Bearer another-token-of-a", 200],
  [`Bearer ${tokens.a}x`, 401],
  [`Bearer ${tokens.a} x`, 401],
  [`Basic ${tokens.a}`, 401],
  [tokens.a, 401],
  [`Bearer ${sha256(tokens.b)}`, 401],
  [`Bearer ${"x".repeat(10_000)}`, 401],
])(
  "authorization %.30j is answered %i, in both APIs",
  async (header, status) => {
    const headers: Record<string, string> =
      header === undefined ? {} : { authorization: header };
    for (const path of ["/jobs", "/v1/jobs"]) {
      const answer = await api.get(path, headers);
      expect(answer.status).toBe(status);
      expect(answer.headers["www-authenticate"]).toBe(
        status === 401 ? 'Bearer realm="berth"' : undefined,
      );
    }
  },
);

test("a job is not read before it is known whose it is", async () => {
  const { status } = await api.send("POST", "/v1/jobs", { body: "{" });
  expect(status).toBe(401);
});

test.each([
  ["GET", "/jobs/ID"],
  ["GET", "/jobs/ID/log"],
  ["DELETE", "/jobs/ID"],
  ["GET", "/v1/jobs/ID"],
  ["DELETE", "/v1/jobs/ID"],
  ["POST", "/v1/jobs/ID/cancel"],
  ["POST", "/v1/jobs/ID/retry"],
  ["GET", "/v1/jobs/ID/events"],
  ["GET", "/v1/jobs/ID/events?log=true"],
  ["GET", "/v1/jobs/ID/steps/step-1/stdout"],
  ["HEAD", "/v1/jobs/ID/steps/step-1/stderr"],
  ["GET", "/v1/jobs/ID/steps/step-1/stdout?follow=true"],
  ["GET", "/v1/jobs/ID/steps/step-1/outputs/o"],
  ["GET", "/v1/jobs/ID/steps/step-1/outputs/o/p"],
])("%s %s of another tenant is as of no job", async (method, path) => {
  const { id } = (await api.post("/v1/jobs", one, bearer(tokens.a))).json;
  const none = "51E0E756-A6B4-9CC7-67BD-364970C2268C";
  const send = async (wanted: string) => {
    const headers = bearer(tokens.b);
    const url = path.replace("ID", wanted);
    const { status, text } = await api.send(method, url, { headers });
    return { status, text: text.replace(wanted, "ID") };
  };
  const answer = await send(id);
  expect(answer.status).toBe(404);
  expect(answer).toEqual(await send(none));
});

test("lists hold the jobs of the tenant alone, keys are its own", async () => {
  const headers = (token: string) => ({
    ...bearer(token),
    "idempotency-key": "k",
  });
  const ofA = await api.post("/v1/jobs", one, headers(tokens.a));
  const ofB = await api.post("/v1/jobs", one, headers(tokens.b));
  expect([ofA.status, ofB.status]).toEqual([201, 201]);
  const { json } = await api.get("/jobs", bearer(tokens.b));
  expect(json).toContainEqual({ id: ofB.json.id });
  expect(json).not.toContainEqual({ id: ofA.json.id });
});

test.each([
  [{ image: "debian", secrets: { P: "db-password" } }, "a", undefined],
  [
    { image: "debian", secrets: { P: "signing-key" } },
    "a",
    'Step "step-1": secret "signing-key" is not allowed for tenant "a"',
  ],
  [
    { image: "debian", secrets: { P: "db-password" } },
    "b",
    'Step "step-1": secret "db-password" is not allowed for tenant "b"',
  ],
  [
    { image: "evil.example.com/x" },
    "a",
    'Step "step-1": image "evil.example.com/x:latest" is not allowed for tenant "a"',
  ],
  [{ image: "other.example.com/x" }, "b", undefined],
] as const)("a job of %j is for tenant %s: %j", async (step, name, message) => {
  const job = { steps: [step] };
  const answer = await api.post("/v1/jobs", job, bearer(tokens[name]));
  expect(answer.status).toBe(message === undefined ? 201 : 403);
  expect(answer.json.error?.message).toBe(message);
});

test("Dray's API holds jobs against the tenant's images, too", async () => {
  const job = { steps: [{ source: "evil.example.com/x" }] };
  const { status } = await api.post("/jobs", job, bearer(tokens.a));
  expect(status).toBe(403);
});

test.each([
  [[{ name: "a" }], 'Tenant "a" has no token'],
  [
    [{ name: "a", tokens: ["0".repeat(64), "0".repeat(64)] }],
    'Tenant "a" has a token twice, or another\'s',
  ],
  [
    [
      { name: "a", tokens: ["0".repeat(64)] },
      { name: "b", tokens: ["0".repeat(64)] },
    ],
    'Tenant "b" has a token twice, or another\'s',
  ],
  [
    [
      { name: "a", tokens: ["0".repeat(64)] },
      { name: "a", tokens: ["1".repeat(64)] },
    ],
    'There are two tenants "a"',
  ],
])("configuredTenants() refuses %j", async (tenants, message) => {
  const configuration = httpConfigurationSchema.parse({ tenants });
  await expect(configuredTenants(configuration.tenants)).rejects.toMatchObject({
    code: Code.InvalidArgument,
    message,
  });
});

test.each([
  ["short\n", "must have 16 characters or more"],
  ["a token with spaces\n", "must be printable ASCII"],
])("configuredTenants() refuses a file of %j", async (text, message) => {
  const path = join(folder, "wrong");
  await writeFile(path, text);
  const { tenants } = httpConfigurationSchema.parse({
    tenants: [{ name: "a", tokenFile: path }],
  });
  await expect(configuredTenants(tenants)).rejects.toThrow(
    `Tokens of tenant "a" ${message}`,
  );
});

test("tokens, queries and bodies are in no log line and no metric", async () => {
  const lines: string[] = [];
  const log = { ...createLogger({ component: "x", level: "error" }) };
  const note = (text: string, fields?: object) =>
    void lines.push(JSON.stringify([text, fields]));
  const spied: Logger = {
    ...log,
    debug: note,
    info: note,
    warn: note,
    error: note,
  };
  const scenario = await HttpScenario.start(new ScriptedWorkflow(), {
    log: spied,
    configuration: { tenants: [{ name: "a", tokenFile }] },
  });
  try {
    const job = { steps: [{ image: "a", environment: { P: "hunter2" } }] };
    const headers = bearer(tokens.a);
    await scenario.post("/v1/jobs?x=hunter2", job, headers);
    scenario.workflow.failure = new Error("a bug");
    const broken = await scenario.get("/v1/jobs", headers);
    expect(broken.json.error).toEqual({
      code: "INTERNAL",
      message: "Internal error",
    });
    await scenario.get("/v1/jobs", bearer(`${tokens.a}x`));
  } finally {
    await scenario.server.stop(0);
  }
  const metrics = await scenario.metrics.metrics();
  expect(metrics).toContain(
    'berth_workflow_http_request_seconds_count{method="GET",route="/v1/jobs",status="500"} 1',
  );
  const all = lines.join("\n") + metrics;
  expect(lines.filter((line) => line.includes("Failed to"))).toHaveLength(1);
  expect(lines.filter((line) => line.includes("Answered"))).toHaveLength(4);
  expect(all).not.toMatch(/token-of|hunter2|Bearer/);
});
