import { z } from "zod";
import { durationMs, sizeBytes } from "../../lib/configuration/index.js";
import { invocationKeyFields } from "../../lib/route/index.js";

const tls = z.strictObject({
  /** PEM files. On a client, certificate and key are for mutual TLS. */
  authority: z.string().optional(),
  certificate: z.string().optional(),
  key: z.string().optional(),
});

const network = z.enum(["host", "none"]);

const registry = z.strictObject({
  plain_http: z.boolean().default(false),
  realm_hosts: z.array(z.string()).default([]),
  mirrors: z.array(z.string()).default([]),
});

const tags = z.discriminatedUnion("policy", [
  z.strictObject({ policy: z.literal("reject") }),
  z.strictObject({
    policy: z.literal("pin"),
    /** File of `registry/repository:tag: sha256:…`, YAML or JSON. */
    pins: z.string(),
  }),
  z.strictObject({ policy: z.literal("resolve") }),
]);

const instance = z.strictObject({
  /** Serves these instance names: the prefix, and what lies beneath it. */
  prefix: z.string(),
  /** Where its Commands are; "host:port" or "unix:/path". */
  cas: z.strictObject({ address: z.string(), tls: tls.optional() }),
  /** How the image reaches the worker. */
  mode: z.literal("bind_mount").default("bind_mount"),
  /** From where the root fetcher takes it. */
  source: z.literal("registry").default("registry"),
  /** Names of the platform property that names the image. */
  image_properties: z.array(z.string()).default(["container-image"]),
  /** berth-exec on the worker, and its first arguments. */
  helper: z.array(z.string()),
  tags: tags.default({ policy: "reject" }),
  /** Where actions do not say it, such as "linux/amd64". */
  default_platform: z.string().default("linux/amd64"),
  /** What happens to actions without an image. */
  no_image: z.enum(["pass", "sandbox", "reject"]).default("pass"),
  /** Where actions do not say it; "worker": as berth-exec is configured. */
  network: z.enum(["host", "none", "worker"]).default("host"),
  /** What actions may ask for. */
  networks: z.array(network).default(["host", "none"]),
  /** Whether the image's User counts where actions name none. */
  image_user: z.enum(["ignore", "use"]).default("ignore"),
  /** Passes TEST_INFRASTRUCTURE_FAILURE_FILE to the helper. */
  infrastructure_failure_file: z.boolean().default(false),
  /** Own words on single platform properties. */
  properties: z
    .record(z.string(), z.enum(["pass", "drop", "refuse"]))
    .default({}),
});

const metadataRule = z.strictObject({
  /** Exact texts, or prefixes ending in "*". Invocations cannot be named. */
  when: z.strictObject({
    tool_name: z.string().optional(),
    action_mnemonic: z.string().optional(),
    target_id: z.string().optional(),
  }),
  set_properties: z.record(z.string(), z.string()).default({}),
  do_not_cache: z.boolean().default(false),
  /** Refuses the action with this text. */
  refuse: z.string().optional(),
});

const limits = z.strictObject({
  /** Larger requests are refused; the scheduler's own limit or more. */
  message_size: sizeBytes().default(4 * 2 ** 20),
  command_size: sizeBytes().default(4 * 2 ** 20),
  command_cache_size: sizeBytes().default(64 * 2 ** 20),
  /** How long a Command that was written is taken to be in CAS still. */
  known_present: durationMs().default(60_000),
  known_present_entries: z.int().positive().default(100_000),
  concurrent_routes: z.int().positive().default(10_000),
  route_timeout: durationMs().default(600_000),
  /** How long a stopping router waits for actions under way. */
  drain_timeout: durationMs().default(30_000),
});

/** The router's configuration file. */
export const routerConfigurationSchema = z.strictObject({
  /** gRPC: "host:port" or "unix:/path". */
  listen: z.string(),
  tls: tls.optional(),
  /** HTTP for metrics and readiness: "host:port". */
  diagnostics: z.string().optional(),
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info"),
  /** By host[:port]. */
  registries: z.record(z.string(), registry).default({}),
  instances: z.array(instance).min(1),
  /** Groups for fair scheduling, the coarsest first. */
  invocation_keys: z
    .array(z.enum(invocationKeyFields))
    .min(1)
    .default([...invocationKeyFields]),
  metadata_rules: z.array(metadataRule).default([]),
  limits: limits.prefault({}),
});

/** The configuration, checked and with its defaults. */
export type RouterConfiguration = z.infer<typeof routerConfigurationSchema>;

/** One entry of `instances`. */
export type InstanceConfiguration = RouterConfiguration["instances"][number];
