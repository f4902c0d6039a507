import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeContentAddressableStorage } from "../../test/suites/content-addressable-storage-suite.js";
import { createCasServices } from "../cas-service/index.js";
import { serveGrpc } from "../grpc/index.js";
import {
  createGrpcCasClients,
  FileContentAddressableStorage,
  GrpcContentAddressableStorage,
  InMemoryContentAddressableStorage,
} from "./index.js";

const maximumSizeBytes = 2 ** 30;

describeContentAddressableStorage(
  "InMemoryContentAddressableStorage",
  async () => ({
    cas: new InMemoryContentAddressableStorage({ maximumSizeBytes }),
    stop: async () => {},
  }),
);

describeContentAddressableStorage("FileContentAddressableStorage", async () => {
  const directory = await mkdtemp(join(tmpdir(), "cas-"));
  return {
    cas: new FileContentAddressableStorage({ directory, maximumSizeBytes }),
    stop: () => rm(directory, { recursive: true }),
  };
});

for (const maximumBatchBytes of [undefined, 65_536]) {
  describeContentAddressableStorage(
    `GrpcContentAddressableStorage with batches of ${maximumBatchBytes ?? "any"} bytes`,
    async () => {
      const server = await serveGrpc({
        listen: "127.0.0.1:0",
        services: createCasServices({
          cas: new InMemoryContentAddressableStorage({ maximumSizeBytes }),
          sink: (error) => {
            throw error;
          },
          ...(maximumBatchBytes === undefined ? {} : { maximumBatchBytes }),
        }),
        sink: () => {},
      });
      const clients = createGrpcCasClients({ address: server.address });
      return {
        cas: new GrpcContentAddressableStorage(clients),
        stop: async () => {
          clients.close();
          await server.stop(0);
        },
      };
    },
  );
}
