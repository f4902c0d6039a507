import { parseArgs } from "node:util";
import { readConfiguration } from "../../lib/configuration/index.js";
import { createLogger } from "../../lib/log/index.js";
import { createMetrics, serveDiagnostics } from "../../lib/metrics/index.js";
import {
  aborted,
  type ProgramContext,
  runProgram,
} from "../../lib/program/index.js";
import { Code, StatusError } from "../../lib/status/index.js";
import { engineConfigurationSchema } from "./configuration.js";
import { createEngine } from "./create-engine.js";

const usage = `Usage: berth-engine [--check-config] CONFIGURATION

Serves remote execution (REAPI 2.0 to 2.12) on one machine: CAS, ByteStream,
action cache and execution.

  --check-config  check the configuration file and end
  --help          print this
`;

/** How long calls under way may take when the program is told to stop. */
const stopGraceMs = 10_000;

async function main({ argv, signal }: ProgramContext): Promise<number> {
  const { values, positionals } = parse(argv);
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) {
    throw new StatusError(Code.InvalidArgument, usage.trimEnd());
  }
  const configuration = await readConfiguration(
    path,
    engineConfigurationSchema,
  );
  if (values["check-config"]) return 0;
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

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        "check-config": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    const { message } = error as Error; // parseArgs throws no other
    throw new StatusError(Code.InvalidArgument, message, { cause: error });
  }
}

await runProgram("berth-engine", main);
