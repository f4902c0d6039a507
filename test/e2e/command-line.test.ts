// Proves that the command line says what is wrong, by the name of the flag
// that is to be changed, and shows what an action left.
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Berth, runProgram, startBerth } from "../fixtures/berth.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { type PushedImage, pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { projectFolder } from "../fixtures/project-folder.js";

let registry: ChildServer;
let image: PushedImage;
let berth: Berth;
let folder: string;

beforeAll(async () => {
  registry = await startDockerRegistry();
  image = pushDemoImage(registry.host);
  berth = await startBerth();
  folder = await mkdtemp(join(tmpdir(), "berth-cli-"));
}, 300_000);

afterAll(async () => {
  await berth.stop();
  await registry.stop();
  await rm(folder, { recursive: true });
});

const command = (...args: string[]) =>
  runProgram(`${projectFolder}/bin/berth`, args);

test("a pull that berth run watches is logged once", async () => {
  expect(await berth.run(image.pinned, "--", "true")).toMatchObject({
    status: 0,
  });
  const lines = berth.lines.filter((line) => line.includes("Acquired image"));
  expect(lines).toHaveLength(1);
});

test("berth run shows what an action wrote before its time was up", async () => {
  const script = "echo out; echo err >&2; sleep 60";
  expect(
    await berth.run("--timeout", "1", image.pinned, "--", "sh", "-c", script),
  ).toEqual({
    status: 125,
    stdout: "out\n",
    stderr:
      "err\nberth: Failed to run the action: Action was killed after its timeout of 1000 ms (DEADLINE_EXCEEDED)\n",
  });
});

test("berth run says on a terminal that it waits", async () => {
  const silent = createServer(() => {});
  await once(silent.listen(0, "127.0.0.1"), "listening");
  const { port } = silent.address() as { port: number };
  try {
    for (const [name, text] of [
      ["x:tag", `looking up 127.0.0.1:${port}/x:tag (1 s)`],
      [`x@sha256:${"a".repeat(64)}`, "waiting for the engine to begin (1 s)"],
    ]) {
      const image = `127.0.0.1:${port}/${name}`;
      const run = `${projectFolder}/bin/berth run --engine ${berth.address} ${image} -- true`;
      const typed = `timeout --foreground --signal INT 6 ${run}`;
      const args = ["--quiet", "--return", "--command", typed, "/dev/null"];
      expect((await runProgram("script", args)).stdout).toContain(text);
    }
  } finally {
    silent.close();
    silent.closeAllConnections();
  }
}, 60_000);

test("berth run saves empty folders, and says which output is missing", async () => {
  const outputs = ["--output", "./d/", "--output", "none"];
  const to = join(folder, "out");
  const options = [...outputs, "--output-folder", to, image.pinned];
  const made = await berth.run(...options, "--", "mkdir", "-p", "d/e");
  expect(made).toEqual({
    status: 1,
    stdout: "",
    stderr: `berth: output ${to}/d/e (empty folder)\nberth: the action did not make output "none"\n`,
  });
  expect(await readdir(join(to, "d"))).toEqual(["e"]);
  const failed = await berth.run(...options, "--", "sh", "-c", "exit 7");
  expect(failed.status).toBe(7);
});

test.each([
  [["--docker-config", "/nope"], '"/nope" does not exist'],
  [["--input", "/nope"], '"/nope" does not exist'],
  [["--input", "/etc/passwd"], '"/etc/passwd" is no folder'],
  [["--timeout", "0"], "--timeout must be a whole number of seconds from 1"],
  [["--output", "../x"], "--output must be a path within"],
])("berth run refuses %j by the flag's name", async (options, text) => {
  const run = await berth.run(...options, image.pinned, "--", "true");
  expect(run).toMatchObject({ status: 125, stdout: "" });
  expect(run.stderr).toContain(text);
  expect(run.stderr).toContain(options[0]);
});

test("berth up refuses what it was given, at once and by the flag's name", async () => {
  const config = join(folder, "config.json");
  await writeFile(config, "{secret");
  for (const [options, text] of [
    [["--state", "/proc/x"], '"/proc/x" does not exist, or cannot be made'],
    [["--state", "/etc/passwd"], '"/etc/passwd" is no folder'],
    [["--docker-config", config], `"${config}" is no JSON object`],
  ] as const) {
    const { status, stdout, stderr } = await command("up", ...options);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(text);
    expect(stderr).toContain(`by ${options[0]}`);
    expect(stderr).not.toContain("secret");
  }
});

test("berth up says once that its address is taken", async () => {
  const state = join(folder, "second");
  const { status, stderr } = await command(
    ...["up", "--state", state, "--listen", berth.address],
    ...["--jobs-listen", "off"],
  );
  expect(status).toBe(1);
  expect(stderr).toContain(
    `Failed to serve gRPC on "${berth.address}": another program listens there (UNAVAILABLE)`,
  );
  expect(stderr).not.toContain("No address added");
});

test("berth doctor asks the services, and looks at the state folder", async () => {
  const up = await command("doctor", "--state", berth.state);
  expect(up).toMatchObject({ status: 0 });
  expect(up.stdout).toContain(`the engine serves at "${berth.address}"`);
  expect(up.stdout).toContain("the router serves at ");
  const wrong = await command("doctor", "--state", "/etc/passwd");
  expect(wrong.status).toBe(1);
  expect(wrong.stdout).toContain('"/etc/passwd" is no folder');
});

test("berth tells its version", async () => {
  const version = { status: 0, stdout: "berth 0.1.0\n", stderr: "" };
  expect(await command("--version")).toEqual(version);
  expect(await command("version")).toEqual(version);
});
