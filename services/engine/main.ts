import { readConfiguration } from "../../lib/configuration/index.js";
import { createLogger } from "../../lib/log/index.js";
import { createMetrics, serveDiagnostics } from "../../lib/metrics/index.js";
import {
  aborted,
  type ProgramContext,
  parseServiceArguments,
  runProgram,
} from "../../lib/program/index.js";
import { engineConfigurationSchema } from "./configuration.js";
import { createEngine } from "./create-engine.js";

/** How long calls under way may take when the program is told to stop. */
const stopGraceMs = 10_000;

async function main({ argv, signal }: ProgramContext): Promise<number> {
  const options = parseServiceArguments(argv, {
    name: "berth-engine",
    summary:
      "Serves remote execution (REAPI 2.0 to 2.12) on one machine: CAS,\nByteStream, action cache and execution.",
  });
  if (options === undefined) return 0;
  const configuration = await readConfiguration(
    options.configuration,
    engineConfigurationSchema,
  );
  if (options.checkOnly) return 0;
  const { level } = configuration.log;
  const log = createLogger({ component: "engine", level });
  const metrics = createMetrics();
  let isReady = false;
  const diagnostics =
    configuration.diagnostics === undefined
      ? undefined
      : await serveDiagnostics({
          listen: configuration.diagnostics,
          metrics,
          isReady: () => isReady,
        });
  const engine = await createEngine(configuration, {
    metrics,
    sink: (error) => log.error("Unexpected error", { error }),
  });
  isReady = true;
  log.info("Serving", { addresses: engine.addresses });
  await aborted(signal);
  isReady = false;
  log.info("Stopping");
  await engine.stop(stopGraceMs);
  await diagnostics?.stop();
  return 0;
}

await runProgram("berth-engine", main);
