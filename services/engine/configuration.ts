import { z } from "zod";
import { durationMs, sizeBytes } from "../../lib/configuration/index.js";
import { logLevels } from "../../lib/log/index.js";

const address = z
  .string()
  .regex(/^(unix:\/.+|.+:\d+)$/, 'must be "host:port" or "unix:/path"');

/** The engine's configuration file: what each key means, and its default. */
export const engineConfigurationSchema = z.strictObject({
  /** Where REAPI is served. */
  listen: z
    .array(
      z.strictObject({
        address,
        /**
         * Whether clients of this address may write the action cache. A
         * router that keeps image records there needs an address that others
         * cannot reach, such as a socket.
         */
        actionCacheUpdates: z.boolean().default(false),
      }),
    )
    .min(1),
  /** Where metrics and health are served over HTTP; unset: nowhere. */
  diagnostics: address.optional(),
  log: z.strictObject({ level: z.enum(logLevels) }).default({ level: "info" }),
  /** Directory of CAS and action cache; used by one engine at a time. */
  state: z.string().startsWith("/"),
  /** Directory in which actions run; on the same disk, links need it. */
  build: z.string().startsWith("/"),
  cas: z
    .strictObject({
      /** Bound of the blobs on disk. */
      maximumSize: sizeBytes().default(20 * 2 ** 30),
      /** Small blobs kept in memory as well. */
      memorySize: sizeBytes().default(64 * 2 ** 20),
      /** An upload that brings nothing for so long is given up. */
      uploadIdle: durationMs().default(60_000),
    })
    .prefault({}),
  actionCache: z
    .strictObject({
      maximumResults: z.number().int().positive().default(200_000),
    })
    .prefault({}),
  /** Actions executed at a time; default: the machine's cores. */
  concurrency: z.number().int().positive().max(1_024).optional(),
  /** Platform properties that this machine satisfies; "*": any value. */
  platform: z
    .record(z.string(), z.union([z.string(), z.array(z.string())]))
    .default({}),
  /** The action router that is asked before an action is executed. */
  router: z.strictObject({ address }).optional(),
  /** Absolute path of the helper that the router puts before commands. */
  helper: z.string().startsWith("/").optional(),
  timeout: z
    .strictObject({
      /** For actions that name none. */
      default: durationMs().default(3_600_000),
      /** Actions that ask for more are refused. */
      maximum: durationMs().default(24 * 3_600_000),
    })
    .prefault({}),
  /**
   * Of standard output, and of standard error; more is cut off. Never more
   * than a quarter of `cas.maximumSize`.
   */
  maximumOutputSize: sizeBytes().default(64 * 2 ** 20),
  /** How long an action goes on after its last client left. */
  abandonAfter: durationMs().default(1_000),
  /**
   * What holds for some instance names alone; the longest prefix counts, in
   * whole components. What is not given here is as above.
   */
  instances: z
    .array(
      z.strictObject({
        prefix: z.string(),
        abandonAfter: durationMs().optional(),
        maximumOutputSize: sizeBytes().optional(),
      }),
    )
    .default([]),
  /** How often the state of an operation is repeated. */
  keepalive: durationMs().default(30_000),
  /** Users, when the engine is root; ignored when it is not. */
  users: z
    .strictObject({
      /** Owner of the blobs; neither root nor any user of actions. */
      cas: z.number().int().positive().default(65_532),
      /** Commands without helper run as this uid and those after it. */
      firstAction: z.number().int().positive().default(65_600),
    })
    .prefault({}),
});

/** A checked configuration. */
export type EngineConfiguration = z.infer<typeof engineConfigurationSchema>;
