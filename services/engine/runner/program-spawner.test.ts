import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Code, StatusError } from "../../../lib/status/index.js";
import { ProgramSpawner } from "./program-spawner.js";

let directory: string;
let spawner: ProgramSpawner;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "spawner-"));
  writeFileSync(join(directory, "output"), "");
  spawner = new ProgramSpawner();
});
afterEach(async () => {
  await spawner.stop();
  await rm(directory, { recursive: true });
});

function run(script: string, signal = new AbortController().signal) {
  const output = join(directory, "output");
  const program = {
    argv: ["/bin/sh", "-c", script],
    env: { PATH: "/bin:/usr/bin" },
    workingDirectory: directory,
    stdout: output,
    stderr: output,
    hasFaultPipe: false,
    timeoutMs: 10_000,
  };
  return spawner.run(program, { type: "unknown" }, signal);
}

function ourSpawner(): number {
  const [pid] = readdirSync("/proc").filter((name) => {
    try {
      const status = readFileSync(`/proc/${name}/status`, "latin1");
      const line = readFileSync(`/proc/${name}/cmdline`, "latin1");
      return (
        status.includes(`\nPPid:\t${process.pid}\n`) &&
        line.includes("program-spawner-main")
      );
    } catch {
      return false; // no process, or it ended
    }
  });
  return Number(pid);
}

test("ProgramSpawner runs many programs at a time, each to its own end", async () => {
  const codes = Array.from({ length: 20 }, (_, index) => index);
  const outcomes = await Promise.all(codes.map((code) => run(`exit ${code}`)));
  expect(outcomes).toEqual(
    codes.map((exitCode) => ({ type: "exited", exitCode })),
  );
});

test("ProgramSpawner ends a program whose signal is aborted, with its reason", async () => {
  const controller = new AbortController();
  const reason = new StatusError(Code.Cancelled, "nobody waits");
  const running = run("sleep 70.5", controller.signal);
  setTimeout(() => controller.abort(reason), 50);
  await expect(running).rejects.toBe(reason);
  await expect(run("true", controller.signal)).rejects.toBe(reason);
});

test("ProgramSpawner survives the loss of its process", async () => {
  await run("true");
  const running = run("sleep 0.5");
  process.kill(ourSpawner(), "SIGKILL");
  await expect(running).rejects.toEqual(
    new StatusError(
      Code.Unavailable,
      "The process that starts programs has ended",
    ),
  );
  expect(await run("exit 5")).toEqual({ type: "exited", exitCode: 5 });
});

test("ProgramSpawner tells what cannot be started", async () => {
  await expect(run("nul\0byte")).rejects.toMatchObject({
    code: Code.InvalidArgument,
    message: expect.stringMatching(/^Failed to start "\/bin\/sh": /),
  });
});
