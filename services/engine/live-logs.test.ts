// Proves that an action's logs can be followed while it runs, and kept.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "@jest/globals";
import { ExecutionStage_Value as Stage } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { callServerStream, callUnary } from "../../lib/grpc/index.js";
import { Code } from "../../lib/status/index.js";
import {
  type Begun,
  EngineScenario,
  shell,
} from "./testing/engine-scenario.js";

let scenario: EngineScenario;

afterEach(async () => {
  await scenario.stop();
  expect(scenario.unexpected).toEqual([]);
});

/** Waits for the test to allow what follows. */
function gate(name = "go"): string {
  return `until [ -e ${scenario.directory}/${name} ]; do sleep 0.02; done`;
}

function open(name = "go"): void {
  writeFileSync(join(scenario.directory, name), "");
}

async function cancel({ name }: Begun): Promise<void> {
  const { operations } = scenario;
  await callUnary(operations.cancelOperation.bind(operations), { name });
}

async function firstOf(pieces: AsyncGenerator<Uint8Array>): Promise<string> {
  const { value } = await pieces.next();
  return Buffer.from(value).toString();
}

describe("a live log", () => {
  test("a live log is read while the action runs, and after its end", async () => {
    scenario = await EngineScenario.start();
    const begun = await scenario.begin({
      command: shell(`echo one; echo bad >&2; ${gate()}; echo two`),
    });
    expect(begun.stdout).toBe(`logstreams/${begun.name}-stdout`);
    expect(begun.stderr).toBe(`logstreams/${begun.name}-stderr`);
    const stdout = scenario.read(begun.stdout);
    expect(await firstOf(stdout)).toBe("one\n");
    expect(await scenario.readText(begun.stdout, { limit: 3 })).toBe("one");
    expect(await firstOf(scenario.read(begun.stderr, { offset: 1 }))).toBe(
      "ad\n",
    );
    const many = Array.from({ length: 50 }, () =>
      scenario.readText(begun.stdout, { offset: 4 }),
    );
    open();
    expect(new Set(await Promise.all(many))).toEqual(new Set(["two\n"]));
    expect(await firstOf(stdout)).toBe("two\n");
    expect((await stdout.next()).done).toBe(true);
    const seen = await begun.end;
    expect(seen.metadata.stdoutStreamName).toBe(begun.stdout);
    expect(await scenario.text(seen, "stdout")).toBe("one\ntwo\n");
    expect(await scenario.readText(begun.stdout)).toBe("one\ntwo\n");
    expect(await scenario.readText(begun.stderr)).toBe("bad\n");
    await expect(
      scenario.readText(begun.stdout, { offset: 9 }),
    ).rejects.toMatchObject({
      code: Code.OutOfRange,
      message: "Offset must be from 0 to 8: current value is 9",
    });
  });

  test("a live log is found by its own name only", async () => {
    scenario = await EngineScenario.start();
    const begun = await scenario.begin(
      { command: shell("echo x") },
      { instanceName: "a/b" },
    );
    expect(begun.stdout).toBe(`a/b/logstreams/${begun.name}-stdout`);
    expect(await scenario.readText(begun.stdout)).toBe("x\n");
    for (const name of [
      begun.stdout.replace("a/b/", ""),
      begun.stdout.replace("a/b/", "a/"),
      `${begun.stdout}x`,
      "a/b/logstreams/00000000-0000-0000-0000-000000000000-stdout",
    ]) {
      await expect(scenario.readText(name)).rejects.toMatchObject({
        code: Code.NotFound,
        message: `Log stream "${name}" not found: its action ended long ago, or never was`,
      });
    }
    await expect(
      scenario.readText(begun.stdout, { offset: -1 }),
    ).rejects.toMatchObject({ code: Code.OutOfRange });
    await begun.end;
  });

  test("a live log is one for equal actions; a cached result has none", async () => {
    scenario = await EngineScenario.start();
    const spec = { command: shell(`echo shared; ${gate()}`) };
    const first = await scenario.begin(spec);
    const second = await scenario.begin(spec);
    expect(second.stdout).toBe(first.stdout);
    open();
    await Promise.all([first.end, second.end]);
    const cached = await scenario.run(spec);
    expect(cached.response.cachedResult).toBe(true);
    expect(cached.metadata).toMatchObject({
      stdoutStreamName: "",
      stderrStreamName: "",
    });
  });

  test("a live log that is cut ends with the mark, for readers too", async () => {
    scenario = await EngineScenario.start({
      maximumOutputSize: "1KiB",
      instances: [{ prefix: "jobs", maximumOutputSize: "300KiB" }],
    });
    const command = shell(
      `head -c 1000000 /dev/zero | tr '\\0' x; ${gate()}; echo more`,
    );
    const follow = async (instanceName: string) => {
      const begun = await scenario.begin({ command }, { instanceName });
      const text = scenario.readText(begun.stdout);
      return { begun, text };
    };
    const all = await Promise.all([follow(""), follow("jobs/some")]);
    await sleep(200);
    open();
    for (const [{ begun, text }, limit] of [
      [all[0], 1_024],
      [all[1], 300 * 1_024],
    ] as const) {
      const wanted = `${"x".repeat(limit)}\n[cut here: the limit is ${limit} bytes]\n`;
      expect(await text).toBe(wanted);
      expect(await scenario.text(await begun.end, "stdout")).toBe(wanted);
    }
  });

  test("a live log of an action that never began is empty", async () => {
    scenario = await EngineScenario.start();
    const begun = await scenario.begin({
      command: shell("true", { workingDirectory: "../.." }),
    });
    expect(await scenario.readText(begun.stdout)).toBe("");
    const { response } = await begun.end;
    expect(response.status?.code).toBe(Code.InvalidArgument);
  });
});

describe("the end of an action", () => {
  test("CancelOperation keeps what the action wrote", async () => {
    scenario = await EngineScenario.start();
    const begun = await scenario.begin({
      command: shell("echo so far; echo bad >&2; sleep 68.5"),
    });
    const log = scenario.read(begun.stdout);
    expect(await firstOf(log)).toBe("so far\n");
    expect(await firstOf(scenario.read(begun.stderr))).toBe("bad\n");
    await cancel(begun);
    expect((await log.next()).done).toBe(true);
    const seen = await begun.end;
    expect(seen.response).toMatchObject({
      status: {
        code: Code.Cancelled,
        message: `Operation "${begun.name}" was cancelled`,
      },
      result: { exitCode: 137, outputFiles: [] },
    });
    expect(await scenario.text(seen, "stdout")).toBe("so far\n");
    expect(await scenario.text(seen, "stderr")).toBe("bad\n");
  });

  test("CancelOperation ends queued actions at once, 1,000 over one connection", async () => {
    scenario = await EngineScenario.start({ concurrency: 1 });
    const first = await scenario.begin({ command: shell("sleep 69.5") });
    const digest = await scenario.upload({
      command: shell("echo never > never", { outputPaths: ["never"] }),
      action: { doNotCache: true },
    });
    const names = new Set<string>();
    const ends = Array.from({ length: 1_000 }, () =>
      scenario.execute(digest, {}, undefined, (name) => names.add(name)),
    );
    while (names.size < 1_000) await sleep(10);
    await Promise.all([...names].map((name) => cancel({ ...first, name })));
    for (const { response, stages } of await Promise.all(ends)) {
      expect(response.status?.code).toBe(Code.Cancelled);
      expect(response.result).toBeUndefined();
      expect(stages).toEqual([Stage.QUEUED, Stage.COMPLETED]);
    }
    await cancel(first);
    await first.end;
  });

  test("an engine that stops ends its logs and keeps nobody waiting", async () => {
    scenario = await EngineScenario.start();
    const begun = await scenario.begin({
      command: shell("echo x; sleep 70.5"),
    });
    const end = begun.end.catch(() => undefined);
    const { address, directory } = scenario;
    const other = EngineScenario.connect(address, directory);
    const log = other.read(begun.stdout);
    expect(await firstOf(log)).toBe("x\n");
    const rest = log.next().catch(() => ({ done: true }));
    await scenario.stop({ keep: true });
    expect(await rest).toMatchObject({ done: true });
    await end;
    other.close();
    scenario = await EngineScenario.start({}, directory);
  });

  test("WaitExecution gives the response to who comes after the end", async () => {
    scenario = await EngineScenario.start();
    const seen = await scenario.run({ command: shell("echo x") });
    const wait = scenario.execution.waitExecution.bind(scenario.execution);
    const states = [];
    for await (const state of callServerStream(wait, { name: seen.name })) {
      states.push(state.done);
    }
    expect(states).toEqual([true]);
  });

  test("an instance's actions outlive their last client for as long as it says", async () => {
    scenario = await EngineScenario.start({
      abandonAfter: "1ms",
      instances: [{ prefix: "jobs", abandonAfter: "1m" }],
    });
    const states = [];
    for (const instanceName of ["", "jobs"]) {
      const controller = new AbortController();
      const begun = await scenario.begin(
        { command: shell(`${gate()}; echo end`) },
        { instanceName },
        controller.signal,
      );
      begun.end.catch(() => {});
      controller.abort();
      states.push(begun);
    }
    const [abandoned, kept] = states;
    expect(await scenario.readText(abandoned?.stdout ?? "")).toBe("");
    open();
    expect(await scenario.readText(kept?.stdout ?? "")).toBe("end\n");
  });
});
