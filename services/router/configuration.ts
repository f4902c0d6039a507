import { z } from "zod";
import { durationMs, sizeBytes } from "../../lib/configuration/index.js";
import { grpcAddress, tlsPaths } from "../../lib/grpc/index.js";
import { logLevels } from "../../lib/log/index.js";
import { registryKeys } from "../../lib/registry/index.js";
import { invocationKeyFields } from "../../lib/route/index.js";

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
  /** Serves the instance name of this text, and what lies beneath it. */
  prefix: z.string(),
  /** Where its Commands are. */
  cas: z.strictObject({
    address: grpcAddress,
    tls: tlsPaths.optional(),
  }),
  /**
   * How the image reaches the worker: as a root that its root fetcher makes,
   * or as the action's input root, for build directories that are virtual.
   */
  mode: z.enum(["bind_mount", "inline"]).default("bind_mount"),
  /** From where the root fetcher takes it; inline it is always CAS. */
  source: z.enum(["registry", "cas"]).optional(),
  /** Whether clients may name trees in CAS, `cas://hash/size`. */
  casTrees: z.boolean().default(false),
  /** Directories of OCI layouts that clients may name, `oci:/path:tag`. */
  layouts: z.array(z.string().startsWith("/")).default([]),
  /**
   * Where replicas and restarts find what is known of images: the action
   * cache, by default at the address of CAS, which must take UpdateActionResult
   * from the router.
   */
  imageRecords: z
    .strictObject({
      address: grpcAddress.optional(),
      tls: tlsPaths.optional(),
      /** File of 32 bytes or more that all routers share, and nobody else. */
      key: z.string(),
    })
    .optional(),
  /** Names of the platform property that names the image. */
  imageProperties: z.array(z.string()).default(["container-image"]),
  /**
   * What may be named: patterns such as "docker.io/library/*", or "any". Not
   * given: every registry with a full host name, and those listed above;
   * never this machine or its network by their names or addresses.
   */
  images: z.union([z.literal("any"), z.array(z.string())]).optional(),
  /** berth-exec on the worker, and its first arguments. */
  helper: z.array(z.string()),
  tags: tags.default({ policy: "reject" }),
  /** Where actions do not say it. */
  defaultPlatform: z.string().default("linux/amd64"),
  /** What happens to actions without an image. */
  noImage: z.enum(["pass", "sandbox", "reject"]).default("pass"),
  /** Where actions do not say it; "worker": as berth-exec is configured. */
  network: z.enum(["host", "none", "worker"]).default("host"),
  /** What actions may ask for. */
  networks: z.array(z.enum(["host", "none"])).default(["host", "none"]),
  /** Whether the image's User counts where actions name none. */
  imageUser: z.enum(["ignore", "use"]).default("ignore"),
  /** Passes TEST_INFRASTRUCTURE_FAILURE_FILE to the helper. */
  infrastructureFailureFile: z.boolean().default(false),
  /**
   * Which secrets of the workers actions may name, such as "db-*": "*" stands
   * for any characters.
   */
  secrets: z.array(z.string()).default([]),
  /** Own words on single platform properties. */
  properties: z
    .record(z.string(), z.enum(["pass", "drop", "refuse"]))
    .default({}),
});

const metadataRule = z.strictObject({
  /** Exact texts, or prefixes ending in "*". Invocations cannot be named. */
  when: z.strictObject({
    toolName: z.string().optional(),
    actionMnemonic: z.string().optional(),
    targetId: z.string().optional(),
  }),
  setProperties: z.record(z.string(), z.string()).default({}),
  doNotCache: z.boolean().default(false),
  /** Refuses the action with this text. */
  refuse: z.string().optional(),
});

const imageImport = z.strictObject({
  /** Layers that are read at a time, each in a thread. */
  workers: z.int().positive().default(2),
  /** Folder for large files on their way to CAS; default: the system's. */
  spool: z.string().optional(),
  /**
   * Larger Directory messages are refused: what CAS and workers take.
   * Buildbarn's `maximumMessageSizeBytes` is 2 MiB where it is not set.
   */
  directorySize: sizeBytes().default(2 * 2 ** 20),
  /** Memory for what is known of layers. */
  layerCacheSize: sizeBytes().default(64 * 2 ** 20),
  /**
   * How long an image is used without asking CAS whether it still has all of
   * it: far less than CAS keeps what nobody asks for.
   */
  confirmedFor: durationMs().default(600_000),
  /**
   * How often a client's retry leads to a look into CAS, per image. Less than
   * clients take for all their retries: Bazel's last one comes after 3 s.
   */
  repairInterval: durationMs().default(1_000),
  /** Images that are remembered, 40 bytes for each file of theirs. */
  images: z.int().positive().default(200),
});

const limits = z.strictObject({
  /** Larger requests are refused; the scheduler's own limit or more. */
  messageSize: sizeBytes().default(4 * 2 ** 20),
  commandSize: sizeBytes().default(4 * 2 ** 20),
  /**
   * What is remembered serves actions that come again within moments. It is
   * small, since each full collection of garbage stops the router for as long
   * as it takes to look through it.
   */
  commandCacheSize: sizeBytes().default(8 * 2 ** 20),
  /** How long a Command that was written is taken to be in CAS still. */
  knownPresent: durationMs().default(60_000),
  knownPresentEntries: z.int().positive().default(10_000),
  /** How long a tag's digest is believed, with tags by policy "resolve". */
  tagLifetime: durationMs().default(60_000),
  /** How long an image that needs credentials is used until asked for again. */
  privateImageLifetime: durationMs().default(3_600_000),
  /** How long a missing or refused image is not asked for again. */
  imageFailureLifetime: durationMs().default(10_000),
  concurrentRoutes: z.int().positive().default(10_000),
  routeTimeout: durationMs().default(600_000),
  /** How long a stopping router waits for actions under way. */
  drainTimeout: durationMs().default(30_000),
});

/** The router's configuration file: what each key means, and its default. */
export const routerConfigurationSchema = z.strictObject({
  /** Where RouteAction is served. */
  listen: grpcAddress,
  tls: tlsPaths.optional(),
  /** Where metrics and readiness are served over HTTP; unset: nowhere. */
  diagnostics: grpcAddress.optional(),
  log: z
    .strictObject({ level: z.enum(logLevels).default("info") })
    .prefault({}),
  ...registryKeys,
  instances: z.array(instance).min(1),
  /** Groups for fair scheduling, the coarsest first. */
  invocationKeys: z
    .array(z.enum(invocationKeyFields))
    .min(1)
    .default([...invocationKeyFields]),
  /** What depends on what clients say of themselves: never the Command. */
  metadataRules: z.array(metadataRule).default([]),
  /** How images are brought into CAS, and kept there. */
  imageImport: imageImport.prefault({}),
  limits: limits.prefault({}),
});

/** A checked configuration. */
export type RouterConfiguration = z.infer<typeof routerConfigurationSchema>;

/** One entry of `instances`. */
export type InstanceConfiguration = RouterConfiguration["instances"][number];
