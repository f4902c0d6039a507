import { parseArgs } from "node:util";
import { readConfiguration } from "../../lib/configuration/index.js";
import { createLogger } from "../../lib/log/index.js";
import { createMetrics } from "../../lib/metrics/index.js";
import {
  aborted,
  type ProgramContext,
  runProgram,
} from "../../lib/program/index.js";
import { Code, StatusError, wrap } from "../../lib/status/index.js";
import { routerConfigurationSchema } from "./configuration.js";
import { checkRouterConfiguration, startRouter } from "./router.js";

const usage = `usage: berth-router --config=FILE [--check-config]

Answers RouteAction for Buildbarn's scheduler or berth's engine.

  --config=FILE    YAML or JSON
  --check-config   read the configuration, say what is wrong, and exit
`;

await runProgram("berth-router", async (context) => {
  const options = readArguments(context);
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const configuration = await readConfiguration(
    options.config,
    routerConfigurationSchema,
  );
  const log = createLogger({
    component: "router",
    level: configuration.log.level,
  });
  const metrics = createMetrics();

  if (options.checkConfig) {
    await checkRouterConfiguration(configuration, { metrics, log });
    process.stdout.write(`${options.config}: fine\n`);
    return 0;
  }

  const router = await startRouter(configuration, { metrics, log });
  log.info("Serving", {
    address: router.address,
    diagnosticsAddress: router.diagnosticsAddress,
  });
  await aborted(context.signal);
  log.info("Draining");
  await router.stop();
  return 0;
});

function readArguments({ argv }: ProgramContext) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        config: { type: "string" },
        "check-config": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.config === undefined && !values.help) {
      throw new StatusError(
        Code.InvalidArgument,
        "No configuration given, use --config=FILE",
      );
    }
    return {
      config: values.config ?? "",
      checkConfig: values["check-config"],
      help: values.help,
    };
  } catch (error) {
    throw wrap(error, "Failed to read arguments", Code.InvalidArgument);
  }
}
