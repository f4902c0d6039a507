// The engine's CAS on disk as a process of its own, in the folder that the
// first argument names; prints its address when it serves.
import { FileContentAddressableStorage } from "../lib/cas/index.js";
import { createCasServices } from "../lib/cas-service/index.js";
import { serveGrpc } from "../lib/grpc/index.js";
import { aborted, runProgram } from "../lib/program/index.js";

await runProgram("bench-cas", async ({ argv, signal }) => {
  const sink = (error: unknown) => process.stderr.write(`${error}\n`);
  const cas = new FileContentAddressableStorage({
    directory: argv[0] ?? "",
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
