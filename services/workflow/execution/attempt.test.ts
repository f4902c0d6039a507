import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseInstanceName } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { eventually } from "../../../test/fixtures/eventually.js";
import {
  type EngineProcess,
  startEngineProcess,
} from "../testing/engine-process.js";
import { scriptStep } from "../testing/job-scenario.js";
import { runAttempt } from "./attempt.js";
import {
  type ActionSettings,
  buildAction,
  type ReadyStep,
} from "./build-action.js";
import { RemoteEngine } from "./remote-engine.js";

const settings: ActionSettings = {
  network: "host",
  user: "root",
  timeoutMs: 60_000,
  platform: [],
};

let folder: string;
let process: EngineProcess;
let engine: RemoteEngine;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-attempt-"));
  await chmod(folder, 0o755); // programs run as other users
  process = await startEngineProcess(folder);
  const instanceName = parseInstanceName("");
  engine = new RemoteEngine({ address: process.address, instanceName });
});

afterAll(async () => {
  engine[Symbol.dispose]();
  await process.kill();
  await rm(folder, { recursive: true, force: true });
});

/** An attempt whose action lies in CAS, and that is not written down yet. */
async function setupAttempt(salt: string) {
  const step: ReadyStep = {
    specification: scriptStep("a", "exit 7"),
    image: {
      ...{ reference: "docker://images.example/tools", user: "" },
      ...{ entrypoint: [], command: [], environment: [] },
      workingDirectory: "",
    },
    data: () => {
      throw new RangeError("It has no inputs");
    },
    salt,
  };
  const told: string[] = [];
  let resolve: (isWanted: boolean) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const begun = new Promise<boolean>((...settle) => {
    [resolve, reject] = settle;
  });
  const outcome = runAttempt(
    { kind: "begin", step },
    {
      ...{ engine, settings, metadata: new Metadata(), begun },
      onSent: () => told.push("sent"),
      onProgress: () => told.push("progress"),
      cancel: new AbortController().signal,
      stop: new AbortController().signal,
    },
  );
  const { digest } = buildAction(step, settings);
  const { cas, instanceName } = engine;
  await eventually(async () => {
    expect(await cas.findMissing([digest], { instanceName })).toEqual([]);
  });
  return { outcome, resolve, reject, told };
}

test("runAttempt() fills CAS, but asks the engine only when it is written down", async () => {
  const { outcome, resolve, told } = await setupAttempt("wanted");
  expect(told).toEqual([]);
  resolve(true);
  expect(await outcome).toMatchObject({
    kind: "ended",
    result: { exitCode: 7 },
  });
  expect(told.slice(0, 2)).toEqual(["sent", "progress"]);
});

test("runAttempt() asks nothing for a job that does not want it any more", async () => {
  const { outcome, resolve, told } = await setupAttempt("unwanted");
  resolve(false);
  await outcome;
  expect(told).toEqual([]);
});

test("runAttempt() asks nothing when it cannot be written down", async () => {
  const { outcome, reject, told } = await setupAttempt("unwritten");
  reject(new StatusError(Code.Unavailable, "no store"));
  expect(await outcome).toMatchObject({ kind: "broken", mayHaveRun: false });
  expect(told).toEqual([]);
});
