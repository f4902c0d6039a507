// Proves that our clients of CAS and action cache get along with servers that
// others wrote: BuildGrid (Python) and buildbox-casd (C++).
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  jest,
  test,
} from "@jest/globals";
import {
  ActionCacheClient,
  ActionResult,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { GrpcActionCache } from "../../lib/action-cache/index.js";
import {
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import { channelCredentials, channelOptions } from "../../lib/grpc/index.js";
import type { ChildServer } from "../fixtures/child-server.js";
import {
  pythonPeers,
  startBuildBox,
  startBuildGrid,
} from "../fixtures/python-peers.js";
import { describeContentAddressableStorage } from "../suites/content-addressable-storage-suite.js";

/** The first run downloads and installs the servers. */
jest.setTimeout(300_000);

beforeAll(() => pythonPeers());

const starts: [string, () => Promise<ChildServer>][] = [
  ["BuildGrid", startBuildGrid],
  ["buildbox-casd", startBuildBox],
];

for (const [peer, start] of starts) {
  describe(`with ${peer}`, () => {
    let server: ChildServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());

    describeContentAddressableStorage(
      `GrpcContentAddressableStorage towards ${peer}`,
      async () => {
        const clients = createGrpcCasClients({ address: server.host });
        return {
          cas: new GrpcContentAddressableStorage(clients),
          stop: async () => clients.close(),
        };
      },
    );
  });
}

test("GrpcActionCache gives and takes results of BuildGrid", async () => {
  const server = await startBuildGrid();
  const client = new ActionCacheClient(
    server.host,
    channelCredentials(),
    channelOptions({}),
  );
  try {
    const cache = new GrpcActionCache(client);
    const context = { instanceName: parseInstanceName("") };
    const action = Digest.of(Buffer.from("action"));
    expect(await cache.get(action, context)).toBeUndefined();
    const result = ActionResult.fromPartial({
      exitCode: 3,
      stdoutRaw: Buffer.from("text"),
    });
    await cache.put(action, result, context);
    expect(await cache.get(action, context)).toMatchObject({
      exitCode: 3,
      stdoutRaw: Buffer.from("text"),
    });
  } finally {
    client.close();
    await server.stop();
  }
});
