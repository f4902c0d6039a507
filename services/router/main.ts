import { readConfiguration } from "../../lib/configuration/index.js";
import { createLogger } from "../../lib/log/index.js";
import { createMetrics } from "../../lib/metrics/index.js";
import {
  aborted,
  type ProgramContext,
  parseServiceArguments,
  runProgram,
} from "../../lib/program/index.js";
import { routerConfigurationSchema } from "./configuration.js";
import { checkRouterConfiguration, startRouter } from "./router.js";

async function main({ argv, signal }: ProgramContext): Promise<number> {
  const options = parseServiceArguments(argv, {
    name: "berth-router",
    summary:
      "Answers RouteAction, for Buildbarn's scheduler or berth's engine: puts\nevery action into the image that it names.",
  });
  if (options === undefined) return 0;
  const configuration = await readConfiguration(
    options.configuration,
    routerConfigurationSchema,
  );
  const { level } = configuration.log;
  const log = createLogger({ component: "router", level });
  const metrics = createMetrics();
  if (options.checkOnly) {
    await checkRouterConfiguration(configuration, { metrics, log });
    return 0;
  }
  const router = await startRouter(configuration, { metrics, log });
  log.info("Serving", {
    address: router.address,
    diagnosticsAddress: router.diagnosticsAddress,
  });
  await aborted(signal);
  log.info("Draining");
  await router.stop();
  return 0;
}

await runProgram("berth-router", main);
