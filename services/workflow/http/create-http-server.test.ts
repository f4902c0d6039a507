import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { eventually } from "../../../test/fixtures/eventually.js";
import { HttpScenario } from "../testing/http-scenario.js";
import { ScriptedWorkflow } from "../testing/scripted-workflow.js";

let folder: string;
let api: HttpScenario;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "page-"));
  await mkdir(join(folder, "parts"));
  await writeFile(join(folder, "index.html"), "<p>jobs");
  await writeFile(join(folder, "parts/app-0123abcd.js"), "1");
  await writeFile(join(folder, "parts/app.js"), "2");
  await writeFile(join(folder, "parts/app.test.js"), "3");
  await writeFile(join(folder, ".secret"), "3");
  api = await HttpScenario.start(new ScriptedWorkflow(), {
    webRoot: folder,
    configuration: { limits: { requestTimeout: "300ms", bodySize: 4_096 } },
  });
});
afterEach(async () => {
  await api.server.stop(0);
  await rm(folder, { recursive: true });
});

test("every answer says to browsers what they must not do with it", async () => {
  for (const path of ["/", "/v1/jobs", "/jobs", "/none", "/ui/", "/%zz"]) {
    const { headers } = await api.get(path);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "content-security-policy": expect.stringContaining("default-src 'none'"),
      "x-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
});

test("a request keeps the id that it comes with, if that is one", async () => {
  const idOf = async (id: string) =>
    (await api.get("/jobs", { "x-request-id": id })).headers["x-request-id"];
  expect(await idOf("abc-1")).toBe("abc-1");
  expect(await idOf("a b")).toMatch(/^[0-9a-f-]{36}$/);
});

test.each([
  ["GET", "/none", {}, 404, "There is no such route"],
  ["PUT", "/jobs", {}, 404, "There is no such route"],
  ["GET", "//evil.example.com/", {}, 404, "There is no such route"],
  ["OPTIONS", "/v1/jobs", {}, 404, "There is no such route"],
  ["GET", "/v1/jobs", { host: "evil.example.com" }, 421, undefined],
  ["GET", "/ui/", { host: "evil.example.com" }, 421, undefined],
  ["POST", "/jobs", { origin: "http://evil.example.com" }, 403, undefined],
  ["POST", "/v1/jobs", { "sec-fetch-site": "cross-site" }, 403, undefined],
  ["DELETE", "/jobs/x", { origin: "null" }, 403, undefined],
] as const)(
  "%s %s with %j is %i",
  async (method, path, headers, status, message) => {
    const answer = await api.send(method, path, { headers });
    expect(answer.status).toBe(status);
    expect(answer.json.error.message).toEqual(message ?? expect.any(String));
  },
);

test("browsers are led to the page, programs are told what there is", async () => {
  const accept = "text/html,application/xhtml+xml,*/*;q=0.8";
  const browser = await api.get("/", { accept });
  expect([browser.status, browser.headers.location]).toEqual([302, "/ui/"]);
  const curl = await api.get("/", { accept: "*/*" });
  expect(curl.json).toMatchObject({ page: "/ui/", dray: "/jobs" });
});

test("the page's own paths are its index, and its files are themselves", async () => {
  for (const path of ["/ui/", "/ui/jobs/1", "/ui/index.html"]) {
    const { status, headers, text } = await api.get(path);
    expect([path, status, text]).toEqual([path, 200, "<p>jobs"]);
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-cache",
    });
  }
  const hashed = await api.get("/ui/parts/app-0123abcd.js");
  expect([hashed.text, hashed.headers["cache-control"]]).toEqual([
    "1",
    "public, max-age=31536000, immutable",
  ]);
  const { headers } = await api.get("/ui/parts/app.js");
  const again = await api.get("/ui/parts/app.js", {
    "if-none-match": `"x", W/${headers.etag}`,
  });
  expect([again.status, again.text]).toEqual([304, ""]);
});

test("the page is given at once, whatever tags a request names", async () => {
  const tags = `"x${" ".repeat(30_000)}y"`;
  const times: number[] = [];
  for (let tries = 0; tries < 5; tries++) {
    const startMs = performance.now();
    const { status } = await api.get("/ui/", { "if-none-match": tags });
    expect(status).toBe(200);
    times.push(performance.now() - startMs);
  }
  expect(Math.min(...times)).toBeLessThan(500); // it took 1 s
});

test("the page may run its own scripts and its import map, and make no HTML", async () => {
  const page = join(folder, "other");
  await mkdir(page);
  const map = '{"imports":{}}';
  const html = `<script type="importmap">${map}</script><script>1</script>`;
  await writeFile(join(page, "index.html"), html);
  const other = await HttpScenario.start(new ScriptedWorkflow(), {
    webRoot: page,
  });
  try {
    const { headers } = await other.get("/ui/");
    const digest = createHash("sha256").update(map).digest("base64");
    const policy = String(headers["content-security-policy"]).split("; ");
    expect(policy).toContain(`script-src 'self' 'sha256-${digest}'`);
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).toContain("style-src 'self'");
  } finally {
    await other.server.stop(0);
  }
});

test.each([
  "/ui/parts/app.test.js",
  "/ui/none.js",
  "/ui/.secret",
  "/ui/../package.json",
  "/ui/%2e%2e/%2e%2e/etc/passwd.txt",
  "/ui/parts%2f..%2f..%2fx.js",
  "/ui/__proto__.js",
])("the page has no file %s", async (path) => {
  const { status, text } = await api.get(path);
  expect([status, text.includes("root:")]).toEqual([404, false]);
});

test("a server without a page answers all the same", async () => {
  const bare = await HttpScenario.scripted();
  try {
    expect((await bare.get("/ui/")).status).toBe(404);
    expect((await bare.get("/jobs")).status).toBe(200);
  } finally {
    await bare.server.stop(0);
  }
});

/** What comes when these bytes are written, until the server closes. */
function exchange(...parts: string[]): Promise<string> {
  const [host = "", port = ""] = api.server.address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    let text = "";
    socket.on("data", (data) => {
      text += String(data);
    });
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
    for (const part of parts) socket.write(part);
  });
}

test.each([
  ["nonsense\r\n\r\n", "HTTP/1.1 400 ", "This is no HTTP"],
  [
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(40_000)}\r\n\r\n`,
    "HTTP/1.1 431 ",
    "The request's headers are too large",
  ],
  [
    "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 400 ",
    "This is no HTTP",
  ],
])(
  "what is no HTTP is answered and cut off: %.40j",
  async (sent, head, message) => {
    const text = await exchange(sent);
    expect(text.startsWith(head)).toBe(true);
    const [, body = ""] = text.split("\r\n\r\n");
    expect(JSON.parse(body)).toEqual({
      error: { code: "INVALID_ARGUMENT", message },
    });
  },
);

test("a body that is too large is refused, however it comes", async () => {
  const head = "POST /jobs HTTP/1.1\r\nHost: localhost\r\n";
  const chunk = `1000\r\n${"x".repeat(4_096)}\r\n`;
  const chunked = await exchange(
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`,
  );
  expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
  const whole = await exchange(`${head}Content-Length: 999999\r\n\r\n`);
  expect(whole).toMatch(/^HTTP\/1\.1 413 /);
});

test("the document describes every route with its errors and its security", async () => {
  const { json } = await api.get("/v1/openapi.json");
  expect(json.openapi).toBe("3.1.0");
  const routes = Object.entries(json.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  );
  expect(routes.sort()).toEqual([
    "delete /jobs/{id}",
    "delete /v1/jobs/{id}",
    "get /jobs",
    "get /jobs/{id}",
    "get /jobs/{id}/log",
    "get /v1/jobs",
    "get /v1/jobs/{id}",
    "get /v1/jobs/{id}/events",
    "get /v1/jobs/{id}/steps/{step}/outputs/{name}",
    "get /v1/jobs/{id}/steps/{step}/outputs/{name}/{*}",
    "get /v1/jobs/{id}/steps/{step}/stderr",
    "get /v1/jobs/{id}/steps/{step}/stdout",
    "get /v1/jobs/{id}/submission",
    "head /v1/jobs/{id}/steps/{step}/outputs/{name}",
    "head /v1/jobs/{id}/steps/{step}/outputs/{name}/{*}",
    "head /v1/jobs/{id}/steps/{step}/stderr",
    "head /v1/jobs/{id}/steps/{step}/stdout",
    "post /jobs",
    "post /v1/jobs",
    "post /v1/jobs/{id}/cancel",
    "post /v1/jobs/{id}/retry",
  ]);
  expect(json.security).toEqual([{ bearer: [] }, {}]);
  for (const methods of Object.values(json.paths)) {
    for (const operation of Object.values(methods as object)) {
      expect(operation.summary).toEqual(expect.any(String));
      expect(operation.responses).toMatchObject({ 401: {}, 421: {}, 500: {} });
    }
  }
  expect(Object.keys(json.components.schemas)).toEqual(
    expect.arrayContaining(["Job", "Step", "Error", "DrayJobStatus"]),
  );
});

test("stop() waits for what is being answered, and no longer than told", async () => {
  const { id } = (await api.post("/v1/jobs", { steps: [{ image: "a" }] })).json;
  const snapshot = await api.workflow.get({ tenant: "", id });
  let release: (() => void) | undefined;
  api.workflow.get = () =>
    new Promise((resolve) => {
      release = () => resolve(snapshot);
    });
  const answer = api.get(`/v1/jobs/${id}`);
  await eventually(() => expect(release).toBeDefined());
  const stopped = api.server.stop(10_000);
  release?.();
  expect((await answer).status).toBe(200);
  await stopped;
  await expect(api.get("/jobs")).rejects.toThrow("ECONNREFUSED");
});
