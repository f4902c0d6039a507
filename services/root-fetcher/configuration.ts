import { z } from "zod";
import {
  durationMs,
  readConfiguration,
  sizeBytes,
} from "../../lib/configuration/index.js";
import { parseInstanceName } from "../../lib/digest/index.js";
import { grpcAddress, tlsPaths } from "../../lib/grpc/index.js";
import { parsePlatform } from "../../lib/image/index.js";
import { logLevels } from "../../lib/log/index.js";
import { registryKeys } from "../../lib/registry/index.js";

const absolutePath = z
  .string()
  .refine((path) => path.startsWith("/"), "must be an absolute path");

const uid = z.int().min(0).max(0xfffffffe);

/** Octal text, as chmod takes it: in YAML, 0660 alone would be a number. */
const socketMode = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'must be permission bits in octal, such as "0660"')
  .transform((text) => Number.parseInt(text, 8));

const schema = z.strictObject({
  /** Directory of the image store; runners mount it read-only. */
  store: absolutePath,
  /** The program berth-exec, for system calls that Node lacks. */
  helper: absolutePath,
  /** Path of the unix socket. */
  socket: absolutePath,
  socketMode: socketMode.default(0o660),
  /** Who may acquire roots; default: root, and whoever runs this process. */
  allowedUids: z.array(uid).optional(),
  /**
   * Owner of all that is in the store: what the sandbox maps. Default: 65533
   * when started as root, else whoever runs this process.
   */
  sandboxUid: uid.optional(),
  sandboxGid: uid.optional(),
  /** Content of all files, those that images share counted once. */
  maximumSize: sizeBytes().default(100 * 2 ** 30),
  maximumInodes: z.int().positive().default(10_000_000),
  /** Kept free on the store's file system, for others. */
  minimumFree: sizeBytes().default(2 ** 30),
  /** Connections to the socket. */
  maximumConnections: z.int().positive().default(1024),
  /** How long a connection may be open without asking for a root. */
  idleTimeout: durationMs().default(30_000),
  /** Images that are pulled at the same time; others wait. */
  maximumPulls: z.int().positive().default(16),
  /** Threads that read layers; default: as many as there are cores. */
  workers: z.int().positive().optional(),
  ...registryKeys,
  /** Where trees are that are named as cas://; none are taken if absent. */
  cas: z
    .strictObject({
      address: grpcAddress,
      instanceName: z.string().default("").transform(parseInstanceName),
      tls: tlsPaths.optional(),
    })
    .optional(),
  /** What is chosen from an index, as os/architecture[/variant]. */
  platform: z
    .string()
    .transform(parsePlatform)
    .default({
      os: "linux",
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      variant: undefined,
    }),
  /** Images, with their digests, that are pulled before we are ready. */
  prefetch: z.array(z.string()).default([]),
  /** "host:port" of health and metrics; none if absent. */
  diagnostics: z.string().optional(),
  log: z
    .strictObject({ level: z.enum(logLevels).default("info") })
    .prefault({}),
});

/** The root fetcher's configuration, checked and with its defaults. */
export type RootFetcherConfiguration = z.output<typeof schema>;

/** Reads the configuration. Throws InvalidArgument with file, line, column. */
export function readRootFetcherConfiguration(
  path: string,
): Promise<RootFetcherConfiguration> {
  return readConfiguration(path, schema);
}
