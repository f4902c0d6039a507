import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { eventually } from "../../../../test/fixtures/eventually.js";
import { HttpScenario } from "../../testing/http-scenario.js";

let api: HttpScenario;
let id: string;
let stdout: string;
beforeEach(async () => {
  api = await HttpScenario.scripted();
  const job = { steps: [{ image: "a", name: "s" }] };
  id = (await api.post("/v1/jobs", job)).json.id;
  stdout = `/v1/jobs/${id}/steps/s/stdout`;
  api.workflow.prepare(id);
  api.workflow.start(id, "s");
});
afterEach(() => api.server.stop(0));

/** The step has written ten bytes, and ended. */
function endStep(): void {
  api.workflow.write(id, "s/stdout", "01234");
  api.workflow.write(id, "s/stdout", "56789");
  api.workflow.end(id, "s");
}

test("stdout is given as text that no browser takes for a page", async () => {
  endStep();
  const { status, headers, text } = await api.get(stdout);
  expect([status, text]).toEqual([200, "0123456789"]);
  expect(headers).toMatchObject({
    "content-type": "text/plain; charset=utf-8",
    "content-length": "10",
    "accept-ranges": "bytes",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
});

test.each([
  ["bytes=2-5", 206, "2345", "bytes 2-5/10"],
  ["bytes=7-", 206, "789", "bytes 7-9/10"],
  ["bytes=-3", 206, "789", "bytes 7-9/10"],
  ["bytes=4-4", 206, "4", "bytes 4-4/10"],
  ["bytes=0-1,4-5", 200, "0123456789", undefined],
  ["nonsense", 200, "0123456789", undefined],
])("stdout of range %s is %i %j", async (range, status, text, contentRange) => {
  endStep();
  const answer = await api.get(stdout, { range });
  expect([answer.status, answer.text]).toEqual([status, text]);
  expect(answer.headers["content-range"]).toBe(contentRange);
  expect(answer.headers["content-length"]).toBe(String(text.length));
});

test.each(["bytes=10-", "bytes=-0", "bytes=99999-"])(
  "stdout of range %s is 416",
  async (range) => {
    endStep();
    const { status, headers, json } = await api.get(stdout, { range });
    expect([status, headers["content-range"]]).toEqual([416, "bytes */10"]);
    expect(json.error.message).toBe(
      "The range lies beyond the end: there are 10 bytes",
    );
  },
);

test("stdout ignores a range that depends on an earlier answer", async () => {
  endStep();
  const headers = { range: "bytes=2-5", "if-range": '"etag"' };
  expect((await api.get(stdout, headers)).status).toBe(200);
});

test("HEAD tells the size of stdout without a body", async () => {
  const running = await api.send("HEAD", stdout);
  expect(running.headers["content-length"]).toBeUndefined();
  endStep();
  const { status, headers, text } = await api.send("HEAD", stdout);
  expect([status, headers["content-length"], text]).toEqual([200, "10", ""]);
});

test("stdout of a running step is what there is", async () => {
  api.workflow.write(id, "s/stdout", "0123456789");
  expect((await api.get(stdout)).text).toBe("0123456789");
  const part = await api.get(stdout, { range: "bytes=4-" });
  expect([part.status, part.text]).toEqual([206, "456789"]);
  expect(part.headers["content-range"]).toBe("bytes 4-9/*");
  const none = await api.get(stdout, { range: "bytes=10-" });
  expect([none.status, none.json.error.message]).toEqual([
    416,
    "Nothing was written yet at the start of the range",
  ]);
});

test("stdout is followed to the step's end", async () => {
  const whole = api.get(`${stdout}?follow=true`);
  const part = api.get(`${stdout}?follow=true`, { range: "bytes=4-" });
  await eventually(() => expect(api.workflow.readers).toBe(2));
  endStep();
  expect(await whole).toMatchObject({ status: 200, text: "0123456789" });
  expect(await part).toMatchObject({
    status: 206,
    text: "456789",
    headers: { "content-range": "bytes 4-9007199254740991/*" }, // RFC 8673
  });
});

test("a follower of a quiet log knows at once that it is connected", async () => {
  const controller = new AbortController();
  const url = `http://${api.server.address}${stdout}?follow=true`;
  const { status } = await fetch(url, { signal: controller.signal });
  expect(status).toBe(200);
  controller.abort();
  await eventually(() => expect(api.workflow.readers).toBe(0));
});

test("a followed log breaks off when the service stops", async () => {
  const whole = api.get(`${stdout}?follow=true`);
  await eventually(() => expect(api.workflow.readers).toBe(1));
  const refused = expect(whole).rejects.toThrow("aborted");
  await api.server.stop(5_000);
  await refused;
});

test("a log that is shorter than it was said to be breaks off", async () => {
  endStep();
  api.workflow.logSize = async () => 11;
  await expect(api.get(stdout)).rejects.toThrow("aborted");
});

test("stdout of an unknown step is 404, and of an unknown query 400", async () => {
  endStep();
  const other = await api.get(`/v1/jobs/${id}/steps/x/stdout`);
  expect(other.status).toBe(404);
  expect((await api.get(`${stdout}?folow=true`)).status).toBe(400);
  expect((await api.get(`${stdout}?follow=yes`)).status).toBe(400);
});

function file(text: string) {
  return {
    kind: "file" as const,
    sizeBytes: text.length,
    isExecutable: false,
    async *open(offset: number) {
      yield Buffer.from(text.slice(offset));
    },
  };
}

test("an output is a file to be saved, whatever is in it", async () => {
  api.workflow.outputs.set("o", file("<script>"));
  const path = `/v1/jobs/${id}/steps/s/outputs/o`;
  const { status, headers, text } = await api.get(path);
  expect([status, text]).toEqual([200, "<script>"]);
  expect(headers).toMatchObject({
    "content-type": "application/octet-stream",
    "content-disposition": "attachment; filename=\"o\"; filename*=UTF-8''o",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
  });
  const part = await api.get(path, { range: "bytes=-2" });
  expect([part.status, part.text]).toEqual([206, "t>"]);
  const head = await api.send("HEAD", path);
  expect([head.status, head.headers["content-length"]]).toEqual([200, "8"]);
});

test("an output directory is listed, and its files have their names", async () => {
  const entries = [
    { name: "a b", kind: "directory" as const },
    { name: "f", kind: "file" as const, sizeBytes: 3 },
    { name: "l", kind: "symlink" as const, target: "../f" },
  ];
  api.workflow.outputs.set("o", { kind: "directory", entries });
  api.workflow.outputs.set('o/a b/"é\n', file("x"));
  const path = `/v1/jobs/${id}/steps/s/outputs/o`;
  expect((await api.get(path)).json).toEqual({ entries });
  expect((await api.get(`${path}/`)).json).toEqual({ entries });
  const inner = await api.get(`${path}/a%20b/%22%C3%A9%0A`);
  expect(inner.status).toBe(200);
  expect(inner.headers["content-disposition"]).toBe(
    "attachment; filename=\"___\"; filename*=UTF-8''%22%C3%A9%0A",
  );
});

test.each([
  "/..",
  "/%2e%2e/x",
  "/a/%2e%2e/%2e%2e/x",
  "/a%2f..%2fb",
  "/a//b",
  "/%00",
  "/none",
])("an output's path %s is 404", async (path) => {
  const { status } = await api.get(`/v1/jobs/${id}/steps/s/outputs/o${path}`);
  expect(status).toBe(404);
});
