// Proves that long logs, and readers that never read, cost bounded memory.
import { readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ByteStreamClient } from "#proto/google/bytestream/bytestream.js";
import { channelCredentials } from "../../lib/grpc/index.js";
import { startEngineProcess } from "./testing/engine-process.js";
import { EngineScenario, shell } from "./testing/engine-scenario.js";

const logBytes = 300_000_000;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "log-memory-"));
  await chmod(directory, 0o755); // commands run as other users
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A figure of /proc/{pid}/status, in MiB. */
function memoryMiB(pid: number | undefined, figure: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${figure}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024;
}

/** An engine as a process, and an action that writes a long log there. */
async function setup() {
  const { child, address } = await startEngineProcess(
    directory,
    "maximumOutputSize: 1GiB\n",
  );
  const client = EngineScenario.connect(address, directory);
  await client.run({ command: shell("echo warm") });
  const before = memoryMiB(child.pid, "VmRSS");
  const begun = await client.begin({
    command: shell(
      `head -c ${logBytes} /dev/zero; until [ -e ${directory}/go ]; do sleep 0.05; done; echo end`,
    ),
  });
  return {
    client,
    begun,
    address,
    open: () => writeFileSync(join(directory, "go"), ""),
    /** Most MiB that the engine has taken for all this. */
    growth: () => memoryMiB(child.pid, "VmHWM") - before,
    stop: async () => {
      client.close();
      child.kill("SIGTERM");
      await new Promise((resolve) => child.once("exit", resolve));
    },
  };
}

test("the engine stores and streams a long log in bounded memory", async () => {
  const { client, begun, open, growth, stop } = await setup();
  let bytes = 0;
  for await (const data of client.read(begun.stdout)) {
    bytes += data.byteLength;
    if (bytes === logBytes) open();
  }
  expect(bytes).toBe(logBytes + 4);
  const { response } = await begun.end;
  expect(response.result?.stdoutDigest?.sizeBytes).toBe(logBytes + 4);
  expect(growth()).toBeLessThan(150);
  await stop();
});

test("the engine keeps little for readers that never read", async () => {
  const { begun, address, open, growth, stop } = await setup();
  const client = new ByteStreamClient(address, channelCredentials());
  const request = { readOffset: 0, readLimit: 0, resourceName: begun.stdout };
  const stuck = Array.from({ length: 50 }, () =>
    client
      .read(request)
      .on("error", () => {})
      .pause(),
  );
  await sleep(500); // what they make it buffer they do by now
  open();
  await begun.end;
  expect(growth()).toBeLessThan(150);
  for (const call of stuck) call.cancel();
  client.close();
  await stop();
});
