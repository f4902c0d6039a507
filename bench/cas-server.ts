// A CAS as a process of its own: the engine's on disk, in the folder that the
// first argument names, or one in memory; prints its address when it serves.
import {
  FileContentAddressableStorage,
  InMemoryContentAddressableStorage,
} from "../lib/cas/index.js";
import { createCasServices } from "../lib/cas-service/index.js";
import { serveGrpc } from "../lib/grpc/index.js";
import { aborted, runProgram } from "../lib/program/index.js";

await runProgram("bench-cas", async ({ argv: [directory], signal }) => {
  const sink = (error: unknown) => process.stderr.write(`${error}\n`);
  const cas =
    directory === undefined
      ? new InMemoryContentAddressableStorage({ maximumSizeBytes: 2 ** 30 })
      : new FileContentAddressableStorage({
          directory,
          maximumSizeBytes: 2 ** 34,
        });
  const server = await serveGrpc({
    listen: "127.0.0.1:0",
    services: createCasServices({ cas, sink }),
    sink,
  });
  process.stdout.write(`${server.address}\n`);
  await aborted(signal);
  await server.stop(0);
  return 0;
});
