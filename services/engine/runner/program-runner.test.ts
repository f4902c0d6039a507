import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Code, StatusError } from "../../../lib/status/index.js";
import { runProgram } from "./program-runner.js";

let directory: string;
let output: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "program-"));
  output = join(directory, "output");
  writeFileSync(output, "");
});
afterEach(() => rm(directory, { recursive: true }));

function run(
  script: string,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
) {
  const program = {
    argv: ["/bin/sh", "-c", script],
    env: { PATH: "/bin:/usr/bin" },
    workingDirectory: directory,
    stdout: output,
    stderr: output,
    hasFaultPipe: true,
    timeoutMs: options.timeoutMs ?? 10_000,
  };
  return runProgram(program, options.signal ?? new AbortController().signal);
}

describe("runProgram()", () => {
  test.each([0, 1, 125, 126, 127, 255])(
    "runProgram() gives exit code %d",
    async (exitCode) => {
      expect(await run(`exit ${exitCode}`)).toEqual({
        type: "exited",
        exitCode,
      });
    },
  );

  test.each([
    ["HUP", 129],
    ["KILL", 137],
    ["SEGV", 139],
    ["TERM", 143],
  ])("runProgram() gives signal %s as %d", async (name, exitCode) => {
    const outcome = await run(`kill -${name} $$`);
    expect(outcome).toEqual({ type: "exited", exitCode });
  });

  test.each([
    [
      "echo 'NOT_FOUND image \"x\" is gone' >&3; exit 125",
      { code: Code.NotFound, text: 'image "x" is gone' },
    ],
    [
      "printf 'UNAVAILABLE no newline' >&3; exit 125",
      { code: Code.Unavailable, text: "no newline" },
    ],
    ["echo some text >&3", { code: Code.Unavailable, text: "some text" }],
    ["echo OK fine >&3", { code: Code.Unavailable, text: "OK fine" }],
  ])("runProgram() takes %j for the machine's fault", async (script, fault) => {
    expect(await run(script)).toEqual({ type: "fault", ...fault });
  });

  test("runProgram() takes 125 with an empty fault pipe for the action's own", async () => {
    expect(await run("exit 125")).toEqual({ type: "exited", exitCode: 125 });
  });

  test("runProgram() does not wait for who keeps the fault pipe open", async () => {
    const outcome = await run("setsid sleep 1 & exit 4");
    expect(outcome).toEqual({ type: "exited", exitCode: 4 });
  });

  test("runProgram() kills what is left in the program's group", async () => {
    await run("sleep 64.5 & echo $!");
    const pid = readFileSync(output, "utf8").trim();
    await expect(async () => {
      for (;;) {
        const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
        if (stat.includes(") Z ")) throw new Error("dead");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }).rejects.toThrow(/dead|ENOENT|ESRCH/);
  });

  test("runProgram() kills after the timeout", async () => {
    expect(await run("sleep 65.5", { timeoutMs: 50 })).toEqual({
      type: "timedOut",
    });
  });

  test("runProgram() throws the signal's reason when that is aborted", async () => {
    const reason = new StatusError(Code.Cancelled, "nobody waits");
    const controller = new AbortController();
    const running = run("sleep 66.5", { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await expect(running).rejects.toBe(reason);
  });

  test("runProgram() says which arguments cannot be passed", async () => {
    await expect(run("true\0")).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringMatching(/^Failed to start "\/bin\/sh": /),
    });
  });
});
