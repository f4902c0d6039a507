// Proves that `berth job` does what its help says, against a real `berth up`:
// jobs run, are followed through a crash of the service, and come out of the
// cache; failures and interruptions have their statuses and texts.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  type Berth,
  type ProgramResult,
  runProgram,
  startBerth,
} from "../fixtures/berth.js";
import { type ChildServer, findFreePort } from "../fixtures/child-server.js";
import { type PushedImage, pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { eventually } from "../fixtures/eventually.js";
import { projectFolder } from "../fixtures/project-folder.js";

const program = `${projectFolder}/bin/berth`;

let registry: ChildServer;
let image: PushedImage;
let berth: Berth;
let folder: string;

beforeAll(async () => {
  registry = await startDockerRegistry();
  image = pushDemoImage(registry.host, { repository: "library/debian" });
  berth = await startBerth("--mirror", `docker.io=${registry.host}`);
  folder = await mkdtemp(join(tmpdir(), "berth-job-"));
  // The first use pulls the image, which takes a while.
  const warm = await job("submit", "-f", await file("warm", [step("a", ":")]));
  expect(warm.status).toBe(0);
}, 300_000);

afterAll(async () => {
  await berth.stop();
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

const environment = () => ({ ...process.env, BERTH_SERVER: berth.jobsUrl });

function job(...args: string[]): Promise<ProgramResult> {
  return runProgram(program, ["job", ...args], { env: environment() });
}

interface ExampleStep {
  readonly name: string;
  readonly [field: string]: unknown;
}

function step(
  name: string,
  command: string,
  fields: Record<string, unknown> = {},
): ExampleStep {
  return { name, image: "debian:trixie", command, ...fields };
}

async function file(
  name: string,
  steps: readonly ExampleStep[],
  fields: Record<string, unknown> = {},
): Promise<string> {
  const path = join(folder, `${name}.json`);
  await writeFile(path, JSON.stringify({ name, steps, ...fields }));
  return path;
}

test("berth run and berth image look tags up where berth up was told", async () => {
  expect(await berth.run("debian:trixie", "--", "echo", "a")).toMatchObject({
    status: 0,
    stdout: "a\n",
  });
  const listed = await runProgram(program, [
    ...["image", "ls", "--state", berth.state, "debian:trixie", "/etc"],
  ]);
  expect(listed).toMatchObject({ status: 0 });
  expect(listed.stdout).toContain("os-release");
}, 120_000);

const counting = [
  step("generate", "printf 'b\\na\\nb\\n'"),
  step("count", "sort | uniq -c | tee /counts", {
    stdin: "generate",
    outputs: [{ name: "counts", path: "/counts" }],
  }),
];

/** Of a job that is only submitted: waits for its end. */
async function ended(id: string): Promise<ProgramResult> {
  return job("log", "-f", id);
}

test("berth job submit --follow shows lines and news, and ends with 0", async () => {
  const path = await file("counting", counting, { cache: true });
  const first = await job("submit", "--follow", path);
  expect(first).toMatchObject({
    status: 0,
    stdout:
      "generate | b\ngenerate | a\ngenerate | b\ncount    |       1 a\ncount    |       2 b\n",
  });
  const id = /^berth: job (\S+) submitted$/m.exec(first.stderr)?.[1] ?? "";
  expect(first.stderr).toMatch(/^berth: count: succeeded \(\d+\.\d s\)$/m);
  const again = await job("submit", "--follow", path);
  expect({ ...again, stderr: "" }).toEqual({ ...first, stderr: "" });
  expect(again.stderr.match(/succeeded \(cached\)/g)).toHaveLength(2);
  const changed = await job(
    ...["submit", "--follow", "--set", "steps.count.command=wc -l", path],
  );
  expect(changed.stdout).toContain("count    | 3\n");
  expect(changed.stderr.match(/succeeded \(cached\)/g)).toHaveLength(1);

  const short = id.slice(0, 8).toLowerCase();
  const raw = await job("log", "--step", "count", short);
  expect(raw).toMatchObject({ status: 0, stdout: "      1 a\n      2 b\n" });
  const output = await job("output", short, "count/counts");
  expect(output).toEqual({ ...raw, stderr: "" });
  const to = join(folder, "counts");
  await job("output", id, "count/counts", "-o", to);
  expect(await readFile(to, "utf8")).toBe(raw.stdout);
  expect((await job("show", short)).stdout).toContain(
    "output     counts (file /counts)",
  );
}, 120_000);

test("berth job takes YAML from standard input, and answers in JSON", async () => {
  const yaml = `name: from stdin\nlabels: {team: a}\nsteps:\n  - image: ${image.tagged}\n    command: echo hi\n`;
  const command = `"$1" job submit - --json --name other`;
  const submitted = await runProgram(
    "sh",
    ["-c", `printf %s "$2" | ${command}`, "sh", program, yaml],
    { env: environment() },
  );
  const { id, state, name } = JSON.parse(submitted.stdout);
  expect({ state, name }).toEqual({ state: "preparing", name: "other" });
  const followed = await job("log", "-f", "--json", id);
  const messages = followed.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(messages.filter(({ kind }) => kind === "log")).toMatchObject([
    { step: "step-1", stream: "stdout", offset: 0, text: "hi\n", bytes: 3 },
  ]);
  expect(messages.at(-1)).toEqual({ kind: "end" });
  const list = await job("ls", "--json", "--label", "team=a", "--limit", "1");
  expect(JSON.parse(list.stdout)).toMatchObject({
    jobs: [{ id, state: "succeeded", stepsSucceeded: 1 }],
  });
  expect(JSON.parse((await job("rm", "--json", id)).stdout)).toEqual({
    removed: [id],
  });
  expect(await job("show", id)).toMatchObject({
    status: 2,
    stderr: `berth: There is no job "${id}" (NOT_FOUND)\n`,
  });
}, 60_000);

test("berth job says why a job failed, and runs it again", async () => {
  const path = await file("failing", [
    step("good", "echo fine"),
    step("bad", "echo out; printf '1\\n2\\n\\033[2J3' >&2; exit 7"),
    step("never", ":"),
  ]);
  const { status, stderr } = await job("submit", "-f", path);
  expect(status).toBe(1);
  const id = /job (\S+) submitted/.exec(stderr)?.[1] ?? "";
  expect(stderr).toContain(
    `berth: job ${id} failed: Step "bad": The program ended with exit code 7\n` +
      'berth: the last lines of step "bad":\n  1\n  2\n  \\u{1b}[2J3\n',
  );
  expect(await job("retry", "--follow", id)).toMatchObject({ status: 1 });
  const shown = JSON.parse((await job("show", "--json", id)).stdout);
  expect(shown).toMatchObject({
    run: 2,
    steps: [{ state: "succeeded" }, { state: "failed" }, { state: "skipped" }],
  });
  expect(await job("cancel", id)).toMatchObject({ status: 2, stdout: "" });
}, 60_000);

test("berth job follows through a crash of the service without loss", async () => {
  const script = "for i in $(seq 60); do echo line $i; sleep 0.1; done";
  const path = await file("crash", [step("talk", script)]);
  const following = job("submit", "--follow", path);
  const { stdout } = await job("ls", "--name", "crash", "--json");
  expect(JSON.parse(stdout)).toHaveProperty("jobs"); // there or not yet
  await eventually(async () => {
    const list = JSON.parse(
      (await job("ls", "--name", "crash", "--json")).stdout,
    );
    const log = await job("log", list.jobs[0].id);
    expect(log.stdout).toContain("line 5\n");
  });
  process.kill(berth.pidOf("workflow"), "SIGKILL");
  const lines = Array.from({ length: 60 }, (_, i) => `talk | line ${i + 1}\n`);
  const result = await following;
  expect(result).toMatchObject({ status: 0, stdout: lines.join("") });
  expect(result.stderr).toContain("berth: the server is gone, waiting for it");
}, 120_000);

test("berth job leaves a job alone when it is interrupted", async () => {
  const path = await file("long", [step("wait", "echo on; sleep 60")]);
  const child = spawn(program, ["job", "submit", "-f", path], {
    env: environment(),
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGINT");
  expect(await closed).toBe(130);
  const id = /job (\S+) submitted/.exec(stderr)?.[1] ?? "";
  expect(stderr).toContain(
    `berth: interrupted, but job ${id} goes on: see it by "berth job log -f ${id}"`,
  );
  expect((await job("cancel", id)).status).toBe(0);
  expect(await ended(id)).toMatchObject({ status: 1, stdout: "wait | on\n" });
  expect((await job("ls", "--state", "cancelled")).stdout).toContain(id);
}, 60_000);

test("berth job draws on a terminal what cannot steer it", async () => {
  const evil = "printf '\\033]0;title\\007\\033[2J\\033[32mgreen\\n'";
  const path = await file("evil", [step("a", evil)]);
  // script(1) gives the program a terminal.
  const { status, stdout } = await runProgram(
    "script",
    [
      ...["--quiet", "--return", "--command"],
      `${program} job submit --follow ${path}`,
      "/dev/null",
    ],
    { env: environment() },
  );
  expect(status).toBe(0);
  expect(stdout).toContain(
    "a | \\u{1b}]0;title\\u{7}\\u{1b}[2J\u001b[32mgreen\u001b[0m\r\n",
  );
  expect(stdout).toMatch(/\r\n {2}a {2}\S*succeeded/);
  for (const steering of ["\u001b]", "\u001b[2J", "\u0007"]) {
    expect(stdout).not.toContain(steering);
  }
}, 60_000);

test.each([
  ["a: [", 2, /bad\.yaml:1:5: .* \(INVALID_ARGUMENT\)\n$/],
  [
    "steps: [{image: debian, imag: x}]",
    2,
    /bad\.yaml:1:25: "steps\.0\.imag": there is no such field/,
  ],
  ["steps: [{image: 'UPPER'}]", 2, /repository.* \(INVALID_ARGUMENT\)\n$/i],
])("berth job refuses %j with status %d", async (text, status, message) => {
  const path = join(folder, "bad.yaml");
  await writeFile(path, text);
  const result = await job("submit", path);
  expect(result).toMatchObject({ status, stdout: "" });
  expect(result.stderr).toMatch(message);
});

test("berth job says what to do where no service is", async () => {
  const server = `http://127.0.0.1:${await findFreePort()}`;
  expect(await job("ls", "--server", server)).toEqual({
    status: 125,
    stdout: "",
    stderr: `berth: No job service answers at "${server}" (ECONNREFUSED): start one with "berth up", or name another by --server (UNAVAILABLE)\n`,
  });
});

test("berth up names the flag where the address of jobs is taken", async () => {
  const taken = berth.jobsUrl.replace("http://", "");
  const state = join(folder, "second");
  const up = ["up", "--state", state, "--jobs-listen", taken];
  expect(await runProgram(program, up)).toEqual({
    status: 1,
    stdout: "",
    stderr: `berth: "${taken}" is taken by another program: choose another address by --jobs-listen (FAILED_PRECONDITION)\n`,
  });
});

test("berth doctor asks the job service", async () => {
  const doctor = await runProgram(program, ["doctor", "--state", berth.state]);
  expect(doctor.stdout).toContain(
    `ok    the job service serves at "${berth.jobsUrl}/"`,
  );
});
