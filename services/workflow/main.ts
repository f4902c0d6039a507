import { readConfiguration } from "../../lib/configuration/index.js";
import { createLogger, type LogLevel } from "../../lib/log/index.js";
import { createMetrics } from "../../lib/metrics/index.js";
import {
  aborted,
  type ProgramContext,
  parseServiceArguments,
  runProgram,
} from "../../lib/program/index.js";
import { Code, StatusError } from "../../lib/status/index.js";
import { workflowConfigurationSchema } from "./configuration.js";
import { startWorkflow } from "./start-workflow.js";

/** The values of LOG_LEVEL (Dray, "Configuration"), as our levels. */
const levels: Readonly<Record<string, LogLevel>> = {
  panic: "error",
  fatal: "error",
  error: "error",
  warn: "warn",
  info: "info",
  debug: "debug",
};

async function main({ argv, env, signal }: ProgramContext): Promise<number> {
  const options = parseServiceArguments(argv, {
    name: "berth-workflow",
    summary:
      "Runs jobs of several containers on a remote-execution engine: Dray's API,\nour own, and a page.",
  });
  if (options === undefined) return 0;
  const configuration = await readConfiguration(
    options.configuration,
    workflowConfigurationSchema,
  );
  const level = levelOf(env.LOG_LEVEL) ?? configuration.log.level;
  if (options.checkOnly) return 0;
  const log = createLogger({ component: "workflow", level });
  const metrics = createMetrics();
  const service = await startWorkflow(configuration, { metrics, log });
  log.info("Serving", {
    address: service.address,
    diagnosticsAddress: service.diagnosticsAddress,
    resumedJobs: service.resumedJobs,
  });
  await aborted(signal);
  log.info("Stopping");
  await service.stop();
  return 0;
}

function levelOf(text: string | undefined): LogLevel | undefined {
  if (text === undefined || text === "") return undefined;
  const level = Object.hasOwn(levels, text) ? levels[text] : undefined;
  if (level !== undefined) return level;
  throw new StatusError(
    Code.InvalidArgument,
    `LOG_LEVEL must be one of ${Object.keys(levels).join(", ")}: current value is "${text}"`,
  );
}

await runProgram("berth-workflow", main);
