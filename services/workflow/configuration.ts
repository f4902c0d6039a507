import { z } from "zod";
import { durationMs } from "../../lib/configuration/index.js";
import { grpcAddress, tlsPaths } from "../../lib/grpc/index.js";
import { logLevels } from "../../lib/log/index.js";
import { registryKeys } from "../../lib/registry/index.js";
import { httpConfigurationSchema } from "./http/http-configuration.js";
import { storeConfigurationSchema } from "./store/store-configuration.js";

const engine = z.strictObject({
  /** Of the Execution service. */
  address: grpcAddress,
  /** Of CAS, ByteStream and action cache, where that is another server. */
  cas: grpcAddress.optional(),
  /** REAPI instance name of all actions. */
  instanceName: z.string().default(""),
  tls: tlsPaths.optional(),
});

const steps = z.strictObject({
  /** For steps that do not say it; Docker's containers have one. */
  network: z.enum(["host", "none"]).default("host"),
  /** For images that name no user: "user[:group]", "root" as Docker has it. */
  user: z.string().default("root"),
  /** For steps that name none. */
  timeout: durationMs().default(3_600_000),
  /** Platform properties of every action, for the scheduler to go by. */
  properties: z.record(z.string(), z.string()).default({}),
  /** Attempts of a step, the first included, when machines fail. */
  maximumAttempts: z.number().int().positive().max(100).default(10),
  /** Wait before the second attempt; it doubles up to 30 s. */
  retryDelay: durationMs().default(1_000),
});

const limits = z.strictObject({
  /** Jobs of one tenant that have not ended; more are refused. */
  unfinishedJobs: z.number().int().positive().default(10_000),
  /** Runs of one job: the first, and its retries. */
  runs: z.number().int().positive().max(1_000).default(50),
  /**
   * Steps that the engine has at a time, of all jobs: more than it has workers,
   * so that none is idle, and not many more, so that none waits for the rest.
   */
  stepsInFlight: z.number().int().positive().max(10_000).default(64),
  /** How long a registry may be away before jobs fail that need it. */
  prepareTimeout: durationMs().default(300_000),
});

const retention = z.strictObject({
  /** Ended jobs are removed after this time. */
  keep: durationMs().default(30 * 24 * 3_600_000),
  /** Between looks. */
  interval: durationMs().default(600_000),
});

/** The workflow service's configuration: each key, and its default. */
export const workflowConfigurationSchema = z.strictObject({
  ...registryKeys,
  /** The page and the APIs. */
  http: httpConfigurationSchema.prefault({}),
  /** Where metrics and health are served over HTTP; unset: nowhere. */
  diagnostics: z.string().optional(),
  /** LOG_LEVEL in the environment overrules it, as with Dray. */
  log: z.strictObject({ level: z.enum(logLevels) }).default({ level: "info" }),
  engine,
  store: storeConfigurationSchema,
  /** Which entry of an index is meant, such as "linux/amd64". */
  platform: z.string().default(`linux/${defaultArchitecture()}`),
  steps: steps.prefault({}),
  limits: limits.prefault({}),
  retention: retention.prefault({}),
  traces: z
    .strictObject({
      /** Collector of OpenTelemetry, OTLP over gRPC: "http://host:4317". */
      otlp: z.url(),
    })
    .optional(),
});

/** A checked configuration. */
export type WorkflowConfiguration = z.infer<typeof workflowConfigurationSchema>;

function defaultArchitecture(): string {
  return process.arch === "arm64" ? "arm64" : "amd64";
}
