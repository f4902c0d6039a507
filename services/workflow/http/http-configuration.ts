import { z } from "zod";
import { durationMs, sizeBytes } from "../../../lib/configuration/index.js";

const tenant = z.strictObject({
  /** Stands in jobs, metrics never; tells whose a job is. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
  /** File of bearer tokens, one a line. */
  tokenFile: z.string().optional(),
  /** SHA-256 of bearer tokens, in hexadecimal. */
  tokens: z.array(z.string().regex(/^[0-9a-f]{64}$/)).default([]),
  /** Secrets that its jobs may name; "*" stands for any characters. */
  secrets: z.array(z.string().min(1)).default([]),
  /**
   * Images that its jobs may name, such as "docker.io/library/*"; not given:
   * all that the router allows.
   */
  images: z.array(z.string()).optional(),
});

const limits = z.strictObject({
  /** Larger requests are refused. */
  bodySize: sizeBytes().default(2 ** 20),
  /** Within this time a request must be here, headers and body. */
  requestTimeout: durationMs().default(30_000),
  /** A connection without a request is closed after it. */
  keepAlive: durationMs().default(15_000),
  /** A reader that takes nothing of what waits for it for so long is cut off. */
  stall: durationMs().default(60_000),
  connections: z.int().positive().default(2_000),
  /** Event streams and logs that are followed, at a time. */
  streams: z.int().positive().default(500),
  /** Of them for one tenant. */
  streamsPerTenant: z.int().positive().default(200),
  /** How often a quiet event stream shows that it lives. */
  heartbeat: durationMs().default(15_000),
});

/** What the workflow service's configuration says of its HTTP server. */
export const httpConfigurationSchema = z.strictObject({
  /** Port 0 takes a free one. */
  listen: z
    .string()
    .regex(/^.+:\d+$/, 'must be "host:port"')
    .default("127.0.0.1:3000"),
  /**
   * Names that requests may call the server by, beside those of this machine
   * and addresses. Others are refused, or a web page could have its own name
   * lead here (DNS rebinding).
   */
  hosts: z.array(z.string().min(1)).default([]),
  /**
   * Who may use it; each sees its own jobs alone. Not given: whoever reaches
   * the address, and no token is asked for.
   */
  tenants: z.array(tenant).min(1).optional(),
  limits: limits.prefault({}),
});

/** A checked configuration. */
export type HttpConfiguration = z.infer<typeof httpConfigurationSchema>;

/** One entry of `tenants`. */
export type TenantConfiguration = z.infer<typeof tenant>;
