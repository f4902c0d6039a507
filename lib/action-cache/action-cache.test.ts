import { readdirSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import {
  ActionCacheClient,
  ActionCacheService,
  ActionResult,
  type GetActionResultRequest,
  type UpdateActionResultRequest,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest, parseInstanceName } from "../digest/index.js";
import {
  channelCredentials,
  channelOptions,
  implementUnary,
  serveGrpc,
} from "../grpc/index.js";
import { Code, StatusError } from "../status/index.js";
import {
  type ActionCache,
  FileActionCache,
  GrpcActionCache,
  InMemoryActionCache,
} from "./index.js";

const here = { instanceName: parseInstanceName("here") };
const there = { instanceName: parseInstanceName("there") };
const action = Digest.of(Buffer.from("action"));
const result = ActionResult.fromPartial({
  exitCode: 7,
  stdoutRaw: Buffer.from("text"),
  outputFiles: [{ path: "a", digest: action.toProto(), isExecutable: true }],
});
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "action-cache-"));
  stops.push(() => rm(directory, { recursive: true }));
  return directory;
}

/** A client of a server that keeps results in memory. */
async function setupGrpc(): Promise<ActionCache> {
  const base = new InMemoryActionCache({ maximumResults: 10 });
  const sink = () => {};
  const keyOf = (request: GetActionResultRequest | UpdateActionResultRequest) =>
    Digest.fromProto(request.actionDigest, "action_digest");
  const server = await serveGrpc({
    listen: "127.0.0.1:0",
    sink,
    services: [
      {
        definition: ActionCacheService,
        implementation: {
          getActionResult: implementUnary(
            async (request: GetActionResultRequest) => {
              const instanceName = parseInstanceName(request.instanceName);
              const found = await base.get(keyOf(request), { instanceName });
              if (found !== undefined) return found;
              throw new StatusError(Code.NotFound, "no such result");
            },
            sink,
          ),
          updateActionResult: implementUnary(
            async (request: UpdateActionResultRequest) => {
              const { actionResult } = request;
              if (request.instanceName === "forbidden" || !actionResult) {
                throw new StatusError(Code.PermissionDenied, "not you");
              }
              const instanceName = parseInstanceName(request.instanceName);
              await base.put(keyOf(request), actionResult, { instanceName });
              return actionResult;
            },
            sink,
          ),
        },
      },
    ],
  });
  const client = new ActionCacheClient(
    server.address,
    channelCredentials(),
    channelOptions({}),
  );
  stops.push(async () => {
    client.close();
    await server.stop(0);
  });
  return new GrpcActionCache(client, { retry: { timeoutMs: 100 } });
}

describe.each<[string, () => Promise<ActionCache>]>([
  [
    "InMemoryActionCache",
    async () => new InMemoryActionCache({ maximumResults: 10 }),
  ],
  [
    "FileActionCache",
    async () => {
      const directory = await temporaryDirectory();
      return new FileActionCache({ directory, maximumResults: 10 });
    },
  ],
  ["GrpcActionCache", setupGrpc],
])("%s", (name, setup) => {
  test(`${name} gives back a result, to its instance name alone`, async () => {
    const cache = await setup();
    expect(await cache.get(action, here)).toBeUndefined();
    await cache.put(action, result, here);
    expect(await cache.get(action, here)).toMatchObject(result);
    expect(await cache.get(action, there)).toBeUndefined();
  });

  test(`${name} puts a result in the place of an older one`, async () => {
    const cache = await setup();
    await cache.put(action, result, here);
    await cache.put(action, { ...result, exitCode: 8 }, here);
    expect(await cache.get(action, here)).toMatchObject({ exitCode: 8 });
  });
});

test("GrpcActionCache says why it may not write", async () => {
  const cache = await setupGrpc();
  const instanceName = parseInstanceName("forbidden");
  await expect(
    cache.put(action, result, { instanceName }),
  ).rejects.toMatchObject({
    code: Code.PermissionDenied,
    message: `Failed to update result of action "${action}": not you`,
  });
});

describe("FileActionCache on disk", () => {
  /** The files that hold results. */
  function files(directory: string): string[] {
    return readdirSync(directory, { recursive: true, encoding: "utf8" })
      .filter((path) => path.includes("/"))
      .map((path) => join(directory, path));
  }

  test("FileActionCache outlives its process", async () => {
    const directory = await temporaryDirectory();
    const options = { directory, maximumResults: 10 };
    await new FileActionCache(options).put(action, result, here);
    const again = new FileActionCache(options);
    expect(await again.get(action, here)).toMatchObject(result);
  });

  test("FileActionCache takes a mangled result for none", async () => {
    const directory = await temporaryDirectory();
    const options = { directory, maximumResults: 10 };
    await new FileActionCache(options).put(action, result, here);
    const [path = ""] = files(directory);
    for (const damage of [
      () => truncateSync(path, 40),
      () => truncateSync(path, 0),
    ]) {
      damage();
      const again = new FileActionCache(options);
      expect(await again.get(action, here)).toBeUndefined();
      expect(files(directory)).toEqual([]);
      writeFileSync(path, "");
    }
  });

  test("FileActionCache forgets the results not used for longest", async () => {
    const directory = await temporaryDirectory();
    const cache = new FileActionCache({ directory, maximumResults: 2 });
    const actions = ["a", "b", "c"].map((text) => Digest.of(Buffer.from(text)));
    for (const each of actions) {
      await cache.put(each, result, here);
      await cache.get(actions[0] ?? action, here);
    }
    const held = await Promise.all(actions.map((a) => cache.get(a, here)));
    expect(held.map((each) => each !== undefined)).toEqual([true, false, true]);
    expect(files(directory)).toHaveLength(2);
  });
});
