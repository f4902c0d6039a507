// Proves that nothing of ours that is killed leaves anything behind, and that
// actions under way do not notice what they need no more.
import { execFile, execFileSync, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Berth, runProgram, startBerth } from "../fixtures/berth.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { type PushedImage, pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { modes } from "../fixtures/modes.js";
import { projectFolder } from "../fixtures/project-folder.js";

/** Processes of actions whose command line holds a text, by id. */
function processesWith(text: string): number[] {
  return execFileSync("ps", ["-e", "-o", "pid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(text) && !line.includes(" run --engine "))
    .map((line) => Number.parseInt(line, 10));
}

/** Waits until something holds; it is asked every 20 ms, for 10 s. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(20);
  expect(holds()).toBe(true);
}

describe.each(modes)("crashes with %s", (mode, options) => {
  const hasRoots = mode !== "inline";
  let registry: ChildServer;
  let image: PushedImage;
  let berth: Berth;

  beforeAll(async () => {
    registry = await startDockerRegistry();
    image = pushDemoImage(registry.host);
    berth = await startBerth(...options);
    await berth.run(image.pinned, "--", "true"); // pulls
  }, 300_000);

  afterAll(async () => {
    await berth.stop();
    await registry.stop();
  });

  /** Whether an action holds a root; inline there are none. */
  function rootIsLeased(): boolean {
    const roots = `${berth.state}/store/roots`;
    return readdirSync(roots).some((root) => {
      try {
        const lock = `${roots}/${root}/lock`;
        execFileSync("flock", ["--exclusive", "--nonblock", lock, "true"]);
        return false;
      } catch {
        return true;
      }
    });
  }

  test("a killed root fetcher: actions finish, and new ones work", async () => {
    const running = berth.run(
      image.pinned,
      "--",
      "sh",
      "-c",
      "sleep 3.71; echo a",
    );
    await until(() => processesWith("sleep 3.71").length > 1);
    if (hasRoots) await until(rootIsLeased);
    process.kill(berth.pidOf("root-fetcher"), "SIGKILL");
    expect(await berth.run(image.pinned, "--", "echo", "b")).toMatchObject({
      status: 0,
      stdout: "b\n",
    });
    expect(await running).toMatchObject({ status: 0, stdout: "a\n" });
    await until(() =>
      berth.lines.some((line) => line.includes("starts again")),
    );
    expect(rootIsLeased()).toBe(false);
  }, 60_000);

  test("a killed helper: nothing of the action stays, the lease is free", async () => {
    const running = berth.run(
      image.pinned,
      ...["--", "sh", "-c", "setsid sleep 7654 & sleep 7655"],
    );
    await until(() => processesWith("setsid sleep 7654").length > 1);
    if (hasRoots) await until(rootIsLeased);
    const helpers = processesWith("berth-exec").filter((pid) =>
      processesWith("sleep 7655").includes(pid),
    );
    expect(helpers.length).toBeGreaterThan(0);
    process.kill(Math.min(...helpers), "SIGKILL");
    await until(
      () =>
        processesWith("sleep 7654").length === 0 &&
        processesWith("sleep 7655").length === 0,
    );
    await until(() => !rootIsLeased());
    expect((await running).status).not.toBe(0);
  }, 60_000);

  test("a client that leaves ends its action", async () => {
    const client = execFile(`${projectFolder}/bin/berth`, [
      ...["run", "--engine", berth.address, "--state", berth.state],
      ...[image.pinned, "--", "sleep", "7656"],
    ]);
    await until(() => processesWith("sleep 7656").length > 1);
    client.kill("SIGKILL");
    await until(() => processesWith("sleep 7656").length === 0);
  }, 60_000);

  test("a killed engine: actions end with it, and it comes back", async () => {
    const running = berth.run(image.pinned, "--", "sleep", "7657");
    await until(() => processesWith("sleep 7657").length > 1);
    process.kill(berth.pidOf("engine"), "SIGKILL");
    expect((await running).status).toBe(125);
    await until(() => processesWith("sleep 7657").length === 0);
    const starts = () =>
      berth.lines.filter((line) => line.startsWith("engine: Serving")).length;
    await until(() => starts() === 2);
    expect(await berth.run(image.pinned, "--", "echo", "c")).toMatchObject({
      status: 0,
      stdout: "c\n",
    });
  }, 60_000);

  test("a killed router comes back on its socket, and is awaited", async () => {
    process.kill(berth.pidOf("router"), "SIGKILL");
    expect(await berth.run(image.pinned, "--", "echo", "r")).toMatchObject({
      status: 0,
      stdout: "r\n",
    });
    const starts = () =>
      berth.lines.filter((line) => line.startsWith("router: Serving")).length;
    await until(() => starts() === 2);
  }, 60_000);

  test("a berth up whose port is taken says so and ends", async () => {
    const state = await mkdtemp(join(tmpdir(), "berth-second-"));
    try {
      const second = await runProgram(`${projectFolder}/bin/berth`, [
        ...["up", "--state", state, "--listen", berth.address],
        ...["--jobs-listen", "off"],
      ]);
      expect(second.status).toBe(1);
      expect(second.stdout).toBe("");
      expect(second.stderr).toContain("another program listens there");
      expect(second.stderr).toContain(
        "berth: The engine ended at its start (exit status 1): its line above says why (FAILED_PRECONDITION)",
      );
    } finally {
      await rm(state, { recursive: true, force: true });
    }
  }, 60_000);

  test("a second berth up on the same state folder says so and ends", async () => {
    const second = await runProgram(`${projectFolder}/bin/berth`, [
      ...["up", "--state", berth.state, "--listen", berth.address],
    ]);
    expect(second).toEqual({
      status: 1,
      stdout: "",
      stderr: `berth: Another "berth up" uses the state folder "${berth.state}": stop it, or choose another folder by --state (FAILED_PRECONDITION)\n`,
    });
  }, 60_000);

  test("a killed berth up takes its services along, and starts again", async () => {
    const state = berth.state;
    const own = processesWith(`--config=${state}/`);
    expect(own.length).toBeGreaterThan(2);
    process.kill(berth.pid, "SIGKILL");
    await until(() => processesWith(`--config=${state}/`).length === 0);
    const child = spawn(`${projectFolder}/bin/berth`, [
      ...["up", "--state", state, "--listen", berth.address],
      ...["--jobs-listen", berth.jobsUrl.replace("http://", "")],
    ]);
    const end = new Promise((resolve) => child.once("close", resolve));
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        if (line.startsWith("berth is up")) break;
      }
      expect(await berth.run(image.pinned, "--", "echo", "d")).toMatchObject({
        status: 0,
        stdout: "d\n",
      });
    } finally {
      child.kill("SIGTERM");
      await end;
    }
  }, 120_000);
});
