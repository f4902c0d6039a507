import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import {
  ExecuteRequest,
  ExecutionStage_Value as Stage,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { PreconditionFailure } from "#proto/google/rpc/error_details.js";
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import { callServerStream, callUnary } from "../../lib/grpc/index.js";
import { Code } from "../../lib/status/index.js";
import { EngineScenario, shell } from "./testing/engine-scenario.js";

const context = { instanceName: parseInstanceName("") };
let scenario: EngineScenario;

afterEach(async () => {
  await scenario.stop();
  expect(scenario.unexpected).toEqual([]);
});

describe("Execute", () => {
  test("Execute runs a command on its inputs and stores what it made", async () => {
    scenario = await EngineScenario.start();
    const seen = await scenario.run({
      command: shell("cat in/a > out/b; ./in/tool; echo err >&2", {
        outputPaths: ["out/b"],
      }),
      inputs: { "in/a": "content", "in/tool": { program: "#!/bin/sh\npwd" } },
    });
    expect(seen.stages.at(-1)).toBe(Stage.COMPLETED);
    expect(seen.response).toMatchObject({
      cachedResult: false,
      result: {
        exitCode: 0,
        outputFiles: [
          {
            path: "out/b",
            digest: Digest.of(Buffer.from("content")).toProto(),
            isExecutable: false,
          },
        ],
      },
    });
    const times = seen.response.result?.executionMetadata;
    for (const time of [
      times?.queuedTimestamp,
      times?.workerStartTimestamp,
      times?.inputFetchStartTimestamp,
      times?.inputFetchCompletedTimestamp,
      times?.executionStartTimestamp,
      times?.executionCompletedTimestamp,
      times?.outputUploadStartTimestamp,
      times?.outputUploadCompletedTimestamp,
      times?.workerCompletedTimestamp,
    ]) {
      expect(time?.seconds).toBeGreaterThan(1e9);
    }
    expect(await scenario.text(seen, "stdout")).toMatch(
      /\/build\/\w+\/root\n$/,
    );
    expect(await scenario.text(seen, "stderr")).toBe("err\n");
    const build = join(scenario.directory, "build");
    await until(() => readdirSync(build).length === 0);
  });

  test("Execute passes stages in order, and repeats them", async () => {
    scenario = await EngineScenario.start({
      keepalive: "20ms",
      concurrency: 1,
    });
    const [, { stages }] = await Promise.all([
      scenario.run({ command: shell("sleep 0.2") }),
      scenario.run({ command: shell("sleep 1; true") }),
    ]);
    const count = (stage: Stage) => stages.filter((s) => s === stage).length;
    expect(stages).toEqual([...stages].sort());
    expect(count(Stage.QUEUED)).toBeGreaterThan(1);
    expect(count(Stage.EXECUTING)).toBeGreaterThan(1);
    expect(count(Stage.COMPLETED)).toBe(1);
  });

  test("Execute gives a command its own environment and nothing else", async () => {
    scenario = await EngineScenario.start();
    const seen = await scenario.run({
      command: {
        arguments: ["/usr/bin/env"],
        environmentVariables: [{ name: "ONLY", value: "this one" }],
      },
    });
    expect(await scenario.text(seen, "stdout")).toBe("ONLY=this one\n");
  });

  test("Execute caches what succeeded, and runs what failed again", async () => {
    scenario = await EngineScenario.start();
    const good = { command: shell("date +%N") };
    const first = await scenario.run(good);
    const second = await scenario.run(good);
    expect(second.response.cachedResult).toBe(true);
    expect(second.response.result).toEqual(first.response.result);
    const bad = { command: shell("exit 3") };
    for (let i = 0; i < 2; i++) {
      expect((await scenario.run(bad)).response).toMatchObject({
        cachedResult: false,
        result: { exitCode: 3 },
      });
    }
  });

  test("Execute looks into the cache only when it may", async () => {
    scenario = await EngineScenario.start();
    const spec = { command: shell("date +%N") };
    const first = await scenario.run(spec);
    const skipped = await scenario.run(spec, { skipCacheLookup: true });
    expect(skipped.response.cachedResult).toBe(false);
    expect(skipped.response.result?.stdoutDigest).not.toEqual(
      first.response.result?.stdoutDigest,
    );
    const never = { ...spec, action: { doNotCache: true } };
    await scenario.run(never);
    expect((await scenario.run(never)).response.cachedResult).toBe(false);
  });

  test("Execute does not serve a result whose blobs went", async () => {
    scenario = await EngineScenario.start({ cas: { maximumSize: "200KiB" } });
    const spec = {
      command: shell("date +%N > d/f", { outputPaths: ["d"] }),
      inputs: { "d/x": "" },
    };
    await scenario.run(spec);
    expect((await scenario.run(spec)).response.cachedResult).toBe(true);
    for (let i = 0; i < 100; i++) {
      await scenario.cas.write(Buffer.from(`filler ${i}`), context);
    }
    const after = await scenario.run(spec);
    expect(after.response).toMatchObject({
      cachedResult: false,
      result: { exitCode: 0 },
    });
  });

  test("Execute tells all missing blobs at once", async () => {
    scenario = await EngineScenario.start();
    const absent = [1, 2].map((n) => Digest.of(Buffer.from(`absent ${n}`)));
    await expect(
      scenario.execute(absent[0] ?? Digest.of(Buffer.from(""))),
    ).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: `Blob "${absent[0]}" is missing from CAS: upload it`,
    });
    const inputRootDigest = absent[1]?.toProto();
    const { response } = await scenario.run({
      command: shell("true"),
      action: { inputRootDigest },
    });
    expect(response.status?.code).toBe(Code.FailedPrecondition);
    const [detail] = response.status?.details ?? [];
    expect(
      PreconditionFailure.decode(detail?.value ?? Buffer.alloc(0)),
    ).toEqual(
      expect.objectContaining({
        violations: [
          expect.objectContaining({
            type: "MISSING",
            subject: `blobs/${absent[1]}`,
          }),
        ],
      }),
    );
  });

  test("Execute refuses paths that leave the input root", async () => {
    scenario = await EngineScenario.start();
    const working = await scenario.run({
      command: shell("true", { workingDirectory: "../.." }),
    });
    expect(working.response.status).toMatchObject({
      code: Code.InvalidArgument,
      message:
        'Working directory must stay inside the input root: current value is "../.."',
    });
    const output = await scenario.run({
      command: shell("true", { outputPaths: ["/etc/passwd"] }),
    });
    expect(output.response.status).toMatchObject({
      code: Code.InvalidArgument,
      message: 'Output path must be relative: current value is "/etc/passwd"',
    });
  });

  test("Execute runs in the working directory and resolves outputs from there", async () => {
    scenario = await EngineScenario.start();
    const seen = await scenario.run({
      command: shell("echo x > ../sibling/y", {
        workingDirectory: "a/b",
        outputPaths: ["../sibling/y"],
      }),
    });
    expect(await scenario.text(seen, "../sibling/y")).toBe("x\n");
  });

  test("Execute gives what was asked for in the result itself", async () => {
    scenario = await EngineScenario.start();
    const command = shell("echo out; echo err >&2; echo f > f", {
      outputPaths: ["f"],
    });
    const request = {
      inlineStdout: true,
      inlineStderr: true,
      inlineOutputFiles: ["f"],
    };
    for (const cachedResult of [false, true]) {
      const { response } = await scenario.run({ command }, request);
      expect(response).toMatchObject({
        cachedResult,
        result: {
          stdoutRaw: Buffer.from("out\n"),
          stderrRaw: Buffer.from("err\n"),
          outputFiles: [{ contents: Buffer.from("f\n") }],
        },
      });
    }
  });

  test.each([
    ["a program that is not there", ["/no/such/program"], 127],
    ["a file that is no program", ["./text"], 126],
    ["a program killed by a signal", ["/bin/sh", "-c", "kill -TERM $$"], 143],
  ])("Execute gives the exit code of %s", async (_, argv, exitCode) => {
    scenario = await EngineScenario.start();
    const { response } = await scenario.run({
      command: { arguments: argv },
      inputs: { text: "no program" },
    });
    expect(response.result).toMatchObject({ exitCode });
  });

  test("Execute says that its users cannot reach the build directory", async () => {
    scenario = await EngineScenario.start();
    const closed = join(scenario.directory, "closed");
    mkdirSync(closed, { mode: 0o700 });
    const engine = await EngineScenario.start(
      { build: join(closed, "build") },
      scenario.directory,
    );
    const { response } = await engine.run({ command: shell("true") });
    await engine.stop({ keep: true });
    expect(response.status).toMatchObject({
      code: Code.FailedPrecondition,
      message: `Build directory "${closed}/build" must be reachable for the users that commands run as: others may not enter "${closed}"`,
    });
  });

  test("Execute cuts long output, with a mark, and lets the command go on", async () => {
    scenario = await EngineScenario.start({ maximumOutputSize: "10KiB" });
    const seen = await scenario.run({
      command: shell("head -c 50000 /dev/zero | tr '\\0' x; echo done > f", {
        outputPaths: ["f"],
      }),
    });
    expect(await scenario.text(seen, "f")).toBe("done\n");
    expect(await scenario.text(seen, "stdout")).toBe(
      `${"x".repeat(10_240)}\n[cut here: the limit is 10240 bytes]\n`,
    );
  });

  test("Execute lets a command open its standard output again", async () => {
    scenario = await EngineScenario.start();
    const seen = await scenario.run({
      command: shell("echo a > /dev/stderr; echo b >> /dev/stdout"),
    });
    expect(await scenario.text(seen, "stderr")).toBe("a\n");
    expect(await scenario.text(seen, "stdout")).toBe("b\n");
  });
});

describe("Execute and time", () => {
  test("Execute kills an action after its timeout, with what it started", async () => {
    scenario = await EngineScenario.start();
    const { response } = await scenario.run({
      command: shell("echo begun; sleep 61.5 & setsid sleep 61.5; wait"),
      action: { timeout: { seconds: 0, nanos: 3e8 } },
    });
    expect(response).toMatchObject({
      status: {
        code: Code.DeadlineExceeded,
        message: "Action was killed after its timeout of 300 ms",
      },
      result: { stdoutDigest: Digest.of(Buffer.from("begun\n")).toProto() },
    });
    expect(sleeping("61.5")).toEqual([]);
  });

  test("Execute refuses a timeout beyond the maximum", async () => {
    scenario = await EngineScenario.start({ timeout: { maximum: "1s" } });
    const { response } = await scenario.run({
      command: shell("true"),
      action: { timeout: { seconds: 2, nanos: 0 } },
    });
    expect(response.status).toMatchObject({
      code: Code.InvalidArgument,
      message: "Timeout must be from 0 to 1000 ms: current value is 2000 ms",
    });
  });

  test("Execute ends an action that nobody waits for any more", async () => {
    scenario = await EngineScenario.start();
    const controller = new AbortController();
    const running = scenario.run(
      { command: shell("sleep 62.5 & wait") },
      {},
      controller.signal,
    );
    running.catch(() => {});
    await begins("62.5");
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: Code.Cancelled });
    await until(() => sleeping("62.5").length === 0);
  });

  test("CancelOperation ends an action", async () => {
    scenario = await EngineScenario.start();
    const digest = await scenario.upload({ command: shell("sleep 63.5") });
    const stream = callServerStream(
      scenario.execution.execute.bind(scenario.execution),
      ExecuteRequest.fromPartial({ actionDigest: digest.toProto() }),
    );
    const first = await stream.next();
    const name = first.done === true ? "" : first.value.name;
    await begins("63.5");
    const { operations } = scenario;
    await callUnary(operations.cancelOperation.bind(operations), { name });
    for await (const _ of stream);
    const get = () =>
      callUnary(operations.getOperation.bind(operations), { name });
    expect(await get()).toMatchObject({ name, done: true });
    expect(sleeping("63.5")).toEqual([]);
    await expect(
      callUnary(operations.getOperation.bind(operations), { name: "other" }),
    ).rejects.toMatchObject({ code: Code.NotFound });
  });

  test("WaitExecution joins an operation, which outlives its first client", async () => {
    scenario = await EngineScenario.start({ abandonAfter: "10s" });
    const digest = await scenario.upload({
      command: shell("sleep 0.3; echo end"),
    });
    const stream = callServerStream(
      scenario.execution.execute.bind(scenario.execution),
      ExecuteRequest.fromPartial({ actionDigest: digest.toProto() }),
    );
    const first = await stream.next();
    const name = first.done === true ? "" : first.value.name;
    await stream.return(undefined);
    let done = false;
    for await (const operation of callServerStream(
      scenario.execution.waitExecution.bind(scenario.execution),
      { name },
    )) {
      done = operation.done;
    }
    expect(done).toBe(true);
  });

  test("Execute runs equal actions at a time once, unless they are not to be cached", async () => {
    scenario = await EngineScenario.start({ concurrency: 8 });
    const spec = { command: shell("sleep 0.2; date +%N") };
    const many = (doNotCache: boolean) =>
      Promise.all(
        Array.from({ length: 5 }, () =>
          scenario.run({ ...spec, action: { doNotCache } }),
        ),
      );
    const outputsOf = async (doNotCache: boolean) =>
      new Set(
        (await many(doNotCache)).map(
          ({ response }) => response.result?.stdoutDigest?.hash,
        ),
      ).size;
    expect(await outputsOf(false)).toBe(1);
    expect(await outputsOf(true)).toBe(5);
  });
});

/** Processes that sleep for so many seconds. */
function sleeping(seconds: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    return commandLine(pid) === `sleep\0${seconds}\0`;
  });
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // it ended meanwhile
  }
}

/** Resolves when a process sleeps for so many seconds. */
function begins(seconds: string): Promise<void> {
  return until(() => sleeping(seconds).length > 0);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
