// Proves that an engine killed at any time starts again with whole blobs only.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import { servicePath } from "../../lib/program/index.js";
import { startEngineProcess } from "./testing/engine-process.js";
import { EngineScenario, shell } from "./testing/engine-scenario.js";

const program = servicePath("engine");
const context = { instanceName: parseInstanceName("") };
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "crash-"));
  await chmod(directory, 0o755); // commands run as other users
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function killProcess(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

function sleepers(): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return line === "sleep\x0067.5\0";
    } catch {
      return false; // no process, or it ended
    }
  });
}

test("the engine, killed while blobs come in, has whole blobs only", async () => {
  for (const killAfterMs of [5, 40, 120]) {
    const { child, address } = await startEngineProcess(directory);
    const client = EngineScenario.connect(address, directory);
    const blobs = Array.from({ length: 400 }, (_, i) =>
      randomBytes(i % 10 === 0 ? 5_000_000 / (i + 1) : 3_000),
    );
    const written = Promise.allSettled(
      blobs.map((data) =>
        client.cas.write(data, {
          ...context,
          signal: AbortSignal.timeout(2_000),
        }),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, killAfterMs));
    await killProcess(child);
    client.close();
    const again = await EngineScenario.start({}, directory);
    const digests = blobs.map((data) => Digest.of(data));
    const missing = await again.cas.findMissing(digests, context);
    const absent = new Set(missing.map(({ key }) => key));
    for (const digest of digests.filter(({ key }) => !absent.has(key))) {
      await again.cas.read(digest, context); // verified by the client
    }
    await again.stop({ keep: true });
    await written;
  }
});

test("the engine, killed while an action runs, ends it at its next start", async () => {
  const { child, address } = await startEngineProcess(directory);
  const client = EngineScenario.connect(address, directory);
  const running = client.run({
    command: shell("setsid sleep 67.5 & sleep 67.5"),
  });
  running.catch(() => {});
  while (sleepers().length < 2) await new Promise((r) => setTimeout(r, 5));
  await killProcess(child);
  client.close();
  await expect(running).rejects.toThrow();
  const again = await EngineScenario.start({}, directory);
  expect(sleepers()).toEqual([]);
  expect(readdirSync(join(directory, "build"))).toEqual([]);
  const seen = await again.run({ command: shell("echo alive") });
  expect(await again.text(seen, "stdout")).toBe("alive\n");
  await again.stop({ keep: true });
});

test("the engine checks its configuration and says where it is wrong", async () => {
  const path = join(directory, "wrong.yaml");
  await writeFile(path, "listen: [{ address: 127.0.0.1:0 }]\nstat: /x\n");
  const child = spawn(
    process.execPath,
    [program, "--check-config", `--config=${path}`],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let text = "";
  child.stderr.on("data", (data) => {
    text += data;
  });
  const [status] = await once(child, "close");
  expect(status).toBe(1);
  expect(text).toContain(`wrong.yaml:2:1: "stat": there is no such field`);
});
