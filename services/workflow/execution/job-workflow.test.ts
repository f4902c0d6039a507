import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  test,
} from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import type { Job } from "../model/job.js";
import { JobScenario, scriptStep } from "../testing/job-scenario.js";

let scenario: JobScenario;

beforeAll(async () => {
  scenario = await JobScenario.start();
}, 60_000);
afterAll(() => scenario.stop());
afterEach(() => {
  expect(scenario.errors).toEqual([]);
  scenario.outcomes.length = 0;
});

function states(job: Job): Record<string, string> {
  return Object.fromEntries(
    job.steps.map((step) => [step.specification.name, step.state.kind]),
  );
}

/** A place that the program can write to and the test can read. */
function mark(name: string): string {
  return join("/tmp", `berth-mark-${process.pid}-${name}`);
}

const isRunning =
  (name: string) =>
  (snapshot: { live: ReadonlyMap<string, { isExecuting: boolean }> }) =>
    snapshot.live.get(name)?.isExecuting === true;

describe("JobWorkflow", () => {
  test("runs steps in their order and tells how each ended", async () => {
    const key = await scenario.submit(
      scriptStep("a", "echo from a"),
      scriptStep("b", "echo wrong >&2; exit 3", { needs: ["a"] }),
      scriptStep("c", "true", { needs: ["b"] }),
    );
    const job = await scenario.end(key);
    expect(job.state).toMatchObject({
      kind: "failed",
      reason: { code: "EXIT_CODE" },
    });
    expect(states(job)).toEqual({ a: "succeeded", b: "failed", c: "skipped" });
    expect(job.steps[1]?.state).toMatchObject({ result: { exitCode: 3 } });
    expect(await scenario.log(key, "a")).toBe("from a\n");
    expect(await scenario.log(key, "b", "stderr")).toBe("wrong\n");
    expect(await scenario.log(key, "c")).toBe("");
  });

  test("fails a job whose image there is not, naming step and image", async () => {
    const image = "images.example/none:1";
    const key = await scenario.submit(scriptStep("a", "true", { image }));
    const job = await scenario.end(key);
    expect(job.state).toMatchObject({
      kind: "failed",
      reason: {
        code: "NOT_FOUND",
        text: expect.stringMatching(/Step "a".*images\.example\/none:1/),
      },
    });
    expect(states(job)).toEqual({ a: "skipped" });
  });

  test("tells a slow reader how a job ended", async () => {
    const key = await scenario.submit(scriptStep("a", "true"));
    const states: string[] = [];
    const signal = AbortSignal.timeout(30_000);
    for await (const { job } of scenario.workflow.watch(key, signal)) {
      states.push(job.state.kind);
      await scenario.end(key);
    }
    expect(states).toEqual(["preparing", "succeeded"]);
  });

  test("waits for a registry that is away, but not for ever", async () => {
    scenario.images.away = true;
    const image = "images.example/tools:1";
    const step = () => scriptStep("a", "true", { image, refresh: true });
    const late = await scenario.submit(step());
    setTimeout(() => {
      scenario.images.away = false;
    }, 500);
    expect((await scenario.end(late)).state.kind).toBe("succeeded");
    scenario.images.away = true;
    const job = await scenario.end(await scenario.submit(step()));
    scenario.images.away = false;
    expect(job.state).toMatchObject({ reason: { code: "UNAVAILABLE" } });
  });

  test("takes a tag for what it meant before, unless it is refreshed", async () => {
    await scenario.end(await scenario.submit(scriptStep("a", "true")));
    const { requests } = scenario.images;
    requests.length = 0;
    await scenario.end(await scenario.submit(scriptStep("a", "true")));
    expect(requests.some((text) => text.endsWith(":1"))).toBe(false);
    const refresh = scriptStep("a", "true", { refresh: true });
    await scenario.end(await scenario.submit(refresh));
    expect(requests.at(-1)).toBe("images.example/tools:1");
  });

  test("stops what runs when a job is cancelled, and keeps its log", async () => {
    const key = await scenario.submit(
      scriptStep("a", "echo begun; exec sleep 600"),
      scriptStep("b", "true", { needs: ["a"] }),
    );
    await scenario.until(key, isRunning("a"));
    await scenario.workflow.cancel(key);
    const job = await scenario.end(key);
    expect(job.state.kind).toBe("cancelled");
    expect(states(job)).toEqual({ a: "cancelled", b: "cancelled" });
    await expect(scenario.workflow.cancel(key)).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
  });

  test("stops a step at its timeout", async () => {
    const step = scriptStep("a", "echo begun; exec sleep 600", {
      timeoutMs: 500,
    });
    const key = await scenario.submit(step);
    const job = await scenario.end(key);
    expect(job.steps[0]?.state).toMatchObject({
      kind: "failed",
      reason: { code: "TIMEOUT" },
    });
    expect(await scenario.log(key, "a")).toBe("begun\n");
  });

  test("retries from the failed step on, and keeps what had succeeded", async () => {
    const flag = mark("retry");
    const key = await scenario.submit(
      scriptStep("a", "date +%s%N"),
      scriptStep("b", `[ -e ${flag} ]`, { needs: ["a"] }),
    );
    const failed = await scenario.end(key);
    const first = await scenario.log(key, "a");
    await writeFile(flag, "");
    await scenario.workflow.retry(key);
    const job = await scenario.end(key);
    await rm(flag);
    expect(job.state.kind).toBe("succeeded");
    expect(job.pastRuns).toEqual([
      { startedAt: failed.startedAt, state: failed.state },
    ]);
    expect(await scenario.log(key, "a")).toBe(first);
  });

  test("serves a step that may be cached from the cache, and no other", async () => {
    const cached = scriptStep("a", "date +%s%N", { cache: true });
    const first = await scenario.submit(cached);
    await scenario.end(first);
    const second = await scenario.submit(cached);
    const job = await scenario.end(second);
    expect(job.steps[0]?.state).toMatchObject({ result: { cached: true } });
    expect(await scenario.log(second, "a")).toBe(
      await scenario.log(first, "a"),
    );
    const uncached = await scenario.submit(scriptStep("a", "date +%s%N"));
    expect((await scenario.end(uncached)).steps[0]?.state).toMatchObject({
      result: { cached: false },
    });
  });

  test("goes on after a restart with what the engine runs", async () => {
    const file = mark("restart");
    const script = `echo x >> ${file}; sleep 2; echo done`;
    const key = await scenario.submit(
      scriptStep("a", script, { retry: "never" }),
      scriptStep("b", "true", { needs: ["a"] }),
    );
    await scenario.until(key, isRunning("a"));
    await scenario.restart();
    const job = await scenario.end(key);
    expect(states(job)).toEqual({ a: "succeeded", b: "succeeded" });
    expect(await readFile(file, "utf8")).toBe("x\n");
    expect(await scenario.log(key, "a")).toBe("done\n");
    await rm(file);
  });

  test("begins another attempt when the engine is killed", async () => {
    const key = await scenario.submit(
      scriptStep("a", "sleep 3; echo done"),
      scriptStep("never", "sleep 3", { retry: "never" }),
    );
    await scenario.until(key, isRunning("a"));
    await scenario.until(key, isRunning("never"));
    await scenario.restartEngine();
    const job = await scenario.end(key);
    expect(states(job)).toEqual({ a: "succeeded", never: "lost" });
    expect(job.steps[0]?.attempts).toBe(2);
    expect(job.state).toMatchObject({ kind: "failed" });
  });

  test("gives a log while its step writes it, from any offset", async () => {
    const flag = mark("log");
    const script = `echo first; echo odd >&2; until [ -e ${flag} ]; do sleep 0.05; done; echo last`;
    const key = await scenario.submit(scriptStep("a", script));
    const position = { step: "a", stream: "stdout", offset: 0 } as const;
    const signal = AbortSignal.timeout(30_000);
    const options = { follow: true, signal };
    let text = "";
    for await (const data of scenario.workflow.readLog(
      key,
      position,
      options,
    )) {
      text += Buffer.from(data).toString();
      if (text === "first\n") {
        const lines = await scenario.workflow.logLines(
          key,
          { index: 0, limit: 10 },
          signal,
        );
        expect(lines).toEqual(["first", "odd"]);
        expect(await scenario.workflow.logSize(key, position)).toBeUndefined();
        await writeFile(flag, "");
      }
    }
    await rm(flag);
    expect(text).toBe("first\nlast\n");
    const lines = scenario.workflow.logLines(
      key,
      { index: 1, limit: 9 },
      signal,
    );
    expect(await lines).toEqual(["odd", "last"]);
    expect(await scenario.workflow.logSize(key, position)).toBe(11);
    const tail = { ...position, offset: 6 };
    let rest = "";
    for await (const data of scenario.workflow.readLog(key, tail, options)) {
      rest += Buffer.from(data).toString();
    }
    expect(rest).toBe("last\n");
  });

  test("counts a submission with the same key once", async () => {
    const steps = [scriptStep("a", "true")];
    const job = { tenant: "", labels: {}, steps };
    const key = { key: "k", fingerprint: "1" };
    const first = await scenario.workflow.submit(job, key);
    const second = await scenario.workflow.submit(job, key);
    expect(second.isNew).toBe(false);
    expect(second.snapshot.job.id).toBe(first.snapshot.job.id);
    await expect(
      scenario.workflow.submit(job, { key: "k", fingerprint: "2" }),
    ).rejects.toMatchObject({ code: Code.FailedPrecondition });
    await scenario.end({ tenant: "", id: first.snapshot.job.id });
  });

  test("lets a forgotten job run to its end, unseen", async () => {
    const file = mark("forgotten");
    const key = await scenario.submit(
      scriptStep("a", "sleep 1"),
      scriptStep("b", `touch ${file}`, { needs: ["a"] }),
    );
    await scenario.until(key, isRunning("a"));
    await scenario.workflow.forget(key);
    await expect(scenario.workflow.get(key)).rejects.toMatchObject({
      code: Code.NotFound,
    });
    while (scenario.workflow.unfinished > 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(existsSync(file)).toBe(true);
    await rm(file);
  });

  test("shows a job to its own tenant only", async () => {
    const { id } = await scenario.submit(scriptStep("a", "true"));
    const other = { tenant: "other", id };
    for (const attempt of [
      () => scenario.workflow.get(other),
      () => scenario.workflow.cancel(other),
      () => scenario.workflow.retry(other),
      () => scenario.workflow.forget(other),
      () => scenario.workflow.delete(other),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: Code.NotFound });
    }
    await scenario.end({ tenant: "", id });
  });
});
