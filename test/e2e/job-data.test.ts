// Proves, with real images and a real `berth up`, what becomes of the data of
// jobs: how it gets from step to step, what the cache saves, that a secret
// stays one, and that nothing is lost when something is stopped or killed.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { localPaths } from "../../services/cli/up/local-configuration.js";
import { type Berth, startBerth } from "../fixtures/berth.js";
import { buildBusyboxImage } from "../fixtures/busybox-image.js";
import { type CallServer, startCallServer } from "../fixtures/call-server.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { eventually } from "../fixtures/eventually.js";
import { startHoldingProxy } from "../fixtures/holding-proxy.js";
import { JobClient } from "../fixtures/job-client.js";
import { pushTestImage } from "../fixtures/test-image.js";

const secret = "correct-horse-battery-4711";

let registry: ChildServer;
let server: CallServer;
let berth: Berth;
let jobs: JobClient;
let image: string;

beforeAll(async () => {
  registry = await startDockerRegistry();
  server = await startCallServer();
  image = `${registry.host}/tools:1`;
  await pushTestImage(registry.host, "tools", {
    image: buildBusyboxImage(),
    tag: "1",
  });
  berth = await startBerth();
  jobs = new JobClient(berth.jobsUrl);
  await writeFile(join(localPaths(berth.state).secrets, "db"), `${secret}\n`);
}, 60_000);

afterAll(async () => {
  await berth.stop();
  await server.stop();
  await registry.stop();
});

interface TestStep {
  readonly name: string;
  readonly [field: string]: unknown;
}

function step(
  name: string,
  command: string,
  fields: Readonly<Record<string, unknown>> = {},
): TestStep {
  return { name, image, command, ...fields };
}

function submit(steps: readonly TestStep[], fields = {}): Promise<string> {
  const environment = { URL: server.url };
  return jobs.submit({ environment, steps, ...fields });
}

/** Runs a job to its end. */
async function run(steps: readonly TestStep[], fields = {}) {
  return jobs.end(await submit(steps, fields));
}

function stdoutOf(id: string, name: string): Promise<string> {
  return jobs.text(`/v1/jobs/${id}/steps/${name}/stdout`);
}

/** In a script: tells the server that it runs, or waits for it. */
const call = (path: string) => `wget -q -O /dev/null "$URL/${path}"`;

function callsOf(path: string): number {
  return server.calls.filter((each) => each === `/${path}`).length;
}

/** Of a process, in MB: "VmHWM" is the most that it ever had. */
function memoryOf(pid: number, field: "VmHWM" | "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status);
  return Number(kilobytes?.[1]) / 1024;
}

/** Whether a process has this as its whole command line. */
function isRunning(command: string): boolean {
  return execFileSync("ps", ["-e", "-o", "args="], { encoding: "utf8" })
    .split("\n")
    .includes(command);
}

const size = 100_000_000;
const line = "berth hands it on\n";

/** Three steps of 100 MB, which tell the server that they run. */
function largeJob(count: string): TestStep[] {
  return [
    step(
      "generate",
      `${call("generate")}; yes "berth hands it on" | head -c ${size}`,
    ),
    step("pass", `${call("pass")}; cat`, { stdin: "generate" }),
    step("count", `${call("count")}; ${count}; sha256sum < /data`, {
      stdin: "pass",
      inputs: [{ from: "generate", path: "/data" }],
    }),
  ];
}

test("100 MB go through three steps, and not through the service", async () => {
  await run([step("warm", "true")]);
  const pid = berth.pidOf("workflow");
  await writeFile(`/proc/${pid}/clear_refs`, "5"); // VmHWM begins anew
  const before = memoryOf(pid, "VmRSS");
  const { id, state, steps } = await run(largeJob("wc -c"), { cache: true });
  const growth = memoryOf(pid, "VmHWM") - before;
  expect(state).toBe("succeeded");
  expect(growth).toBeLessThan(40);
  const sizes = steps.map(({ log }) => log.stdout.sizeBytes);
  expect(sizes.slice(0, 2)).toEqual([size, size]);
  const sha256 = createHash("sha256").update(Buffer.alloc(size, line));
  expect(await stdoutOf(id, "count")).toBe(
    `${size}\n${sha256.digest("hex")}  -\n`,
  );
  const range = { range: "bytes=-100" };
  const url = `/v1/jobs/${id}/steps/pass/stdout`;
  expect(await jobs.text(url, range)).toBe(
    Buffer.alloc(size, line).subarray(-100).toString(),
  );

  const counts = () => ["generate", "pass", "count"].map(callsOf);
  expect(counts()).toEqual([1, 1, 1]);
  const again = await run(largeJob("wc -c"), { cache: true });
  expect(again).toMatchObject({ state: "succeeded", stepsCached: 3 });
  expect(counts()).toEqual([1, 1, 1]);
  const changed = await run(largeJob("wc -l"), { cache: true });
  expect(changed.steps.map(({ cached }) => cached)).toEqual([
    true,
    true,
    false,
  ]);
  expect(counts()).toEqual([1, 1, 2]);
  const lines = Math.floor(size / line.length);
  expect(await stdoutOf(changed.id, "count")).toContain(`${lines}\n`);
}, 120_000);

test("files, directories and stderr become another step's inputs", async () => {
  const { id, state, steps } = await run([
    step(
      "make",
      "echo to stderr >&2; echo one > /one; mkdir -p /out/deep; echo two > /out/deep/two; ln -s deep/two /out/link",
      {
        outputs: [
          { name: "file", path: "/one" },
          { name: "tree", path: "/out/" },
        ],
      },
    ),
    step(
      "use",
      "cat; cat /given/file /given/tree/deep/two /given/tree/link; touch /given/tree/x || echo read-only",
      {
        stdin: "make/stderr",
        inputs: [
          { from: "make/file", path: "/given/file" },
          { from: "make/tree", path: "/given/tree" },
        ],
      },
    ),
  ]);
  expect(state).toBe("succeeded");
  expect(await stdoutOf(id, "use")).toBe(
    "to stderr\none\ntwo\ntwo\nread-only\n",
  );
  expect(steps[0]?.outputs).toMatchObject([
    { name: "file", kind: "file", path: "/one" },
    { name: "tree", kind: "directory", path: "/out/" },
  ]);
  const url = `/v1/jobs/${id}/steps/make/outputs/tree/deep/two`;
  expect(await jobs.text(url)).toBe("two\n");
});

test("a secret is had by its step, and by nobody else", async () => {
  const script = `printf %s "$PASSWORD" | sha256sum; echo "it is $PASSWORD"; echo "$PASSWORD" >&2; ${call("gate/secret")}`;
  const id = await submit([
    step("use", script, { secrets: { PASSWORD: "db" } }),
  ]);
  await eventually(() => expect(callsOf("gate/secret")).toBe(1), 20_000);
  const processes = execFileSync("ps", ["-e", "-ww", "-o", "args="]);
  const files = filesWith(secret);
  server.open("secret");
  expect(await jobs.end(id)).toMatchObject({ state: "succeeded" });
  const digest = createHash("sha256").update(secret).digest("hex");
  const stdout = `${digest}  -\nit is [secret db]\n`;
  expect(await stdoutOf(id, "use")).toBe(stdout);
  const seen = [
    processes.toString(),
    berth.lines.join("\n"),
    ...(await Promise.all(
      ["", "/events?log=true", "/submission", "/steps/use/stderr"].map((path) =>
        jobs.text(`/v1/jobs/${id}${path}`),
      ),
    )),
    await jobs.text("/v1/jobs"),
    await jobs.text(`/jobs/${id}/log`),
  ].join("\n");
  expect(seen).toContain("[secret db]");
  expect(seen).not.toContain(secret);
  const own = join(localPaths(berth.state).secrets, "db");
  expect([files, filesWith(secret)]).toEqual([[own], [own]]);
  expect(filesWith("it is [secret db]")).not.toEqual([]); // it does look
});

/** Files of the state folder that hold a text; some may vanish meanwhile. */
function filesWith(text: string): string[] {
  const options = ["-rlaF", "--devices=skip", "-e", text, berth.state];
  const { stdout } = spawnSync("grep", options, { encoding: "utf8" });
  return stdout.split("\n").filter((path) => path !== "");
}

test("cancelling a job ends its program", async () => {
  const id = await submit([
    step("sleep", "exec sleep 86397"),
    step("next", call("cancelled")),
  ]);
  await eventually(() => expect(isRunning("sleep 86397")).toBe(true), 20_000);
  await jobs.cancel(id);
  await eventually(() => expect(isRunning("sleep 86397")).toBe(false));
  const { state, steps } = await jobs.end(id);
  expect([state, ...steps.map((each) => each.state)]).toEqual([
    "cancelled",
    "cancelled",
    "cancelled",
  ]);
  expect(callsOf("cancelled")).toBe(0);
});

test("a step that takes too long is ended, and its log is kept", async () => {
  const { id, state, reason, steps } = await run([
    step("sleep", "echo begun; exec sleep 86398", { timeout: "1s" }),
    step("next", "true"),
  ]);
  expect([state, reason?.code]).toEqual(["failed", "TIMEOUT"]);
  expect(steps.map((each) => each.state)).toEqual(["failed", "skipped"]);
  expect(isRunning("sleep 86398")).toBe(false);
  expect(await stdoutOf(id, "sleep")).toBe("begun\n");
});

test.each([
  ["KILL", 137],
  ["TERM", 143],
])("a step that SIG%s ends has status %d", async (signal, exitCode) => {
  const { state, steps } = await run([
    step("killed", `sh -c 'kill -${signal} $$'; exit $?`),
    step("itself", `exec sh -c 'kill -${signal} $$'`, { needs: [] }),
  ]);
  expect(state).toBe("failed");
  expect(steps.map((each) => each.exitCode)).toEqual([exitCode, exitCode]);
  expect(steps[1]).toMatchObject({
    state: "failed",
    attempts: 1,
    reason: { code: "EXIT_CODE" },
  });
});

test("a job outlives the service, and ends once", async () => {
  const id = await submit([
    step("first", call("gate/crash")),
    step("second", `${call("after-crash")}; echo done`),
  ]);
  await eventually(() => expect(callsOf("gate/crash")).toBe(1), 20_000);
  const pid = berth.pidOf("workflow");
  process.kill(pid, "SIGKILL");
  await eventually(() => expect(berth.pidOf("workflow")).not.toBe(pid), 20_000);
  server.open("crash");
  const { state, run, steps } = await jobs.end(id);
  expect([state, run]).toEqual(["succeeded", 1]);
  expect(steps.map(({ attempts }) => attempts)).toEqual([1, 1]);
  expect([callsOf("gate/crash"), callsOf("after-crash")]).toEqual([1, 1]);
  expect(await stdoutOf(id, "second")).toBe("done\n");
}, 120_000);

test("a job outlives the root fetcher in the middle of a pull", async () => {
  const proxy = await startHoldingProxy(registry.host);
  try {
    // Its layer is another one than that of the image which is there.
    const other = buildBusyboxImage({ tools: ["sh", "cat"] });
    await pushTestImage(registry.host, "other", { image: other, tag: "1" });
    const id = await submit([
      step("pulled", "cat /etc/passwd", { image: `${proxy.host}/other:1` }),
    ]);
    await eventually(() => expect(proxy.held).toBe(1), 20_000);
    process.kill(berth.pidOf("root-fetcher"), "SIGKILL");
    proxy.letPass();
    expect(await jobs.end(id)).toMatchObject({ state: "succeeded" });
    expect(await stdoutOf(id, "pulled")).toContain("root:x:0:0");
  } finally {
    await proxy.stop();
  }
}, 120_000);
