import { readFile } from "node:fs/promises";
import { z } from "zod";
import { wrap } from "../status/index.js";
import type { GrpcTls } from "./grpc-server.js";

/** Where a gRPC service is, in a program's configuration. */
export const grpcAddress: z.ZodString = z
  .string()
  .regex(/^(unix:\/.+|.+:\d+)$/, 'must be "host:port" or "unix:/path"');

/** Paths of PEM files. */
export interface TlsPaths {
  readonly authority?: string | undefined;
  /** With its key: a server's own; on a client, for mutual TLS. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

/** TlsPaths in a program's configuration. */
export const tlsPaths: z.ZodType<TlsPaths> = z.strictObject({
  authority: z.string().optional(),
  certificate: z.string().optional(),
  key: z.string().optional(),
});

/** Reads the PEM files of a `tls` section; throws what the disk says. */
export async function readTls(
  paths: TlsPaths | undefined,
): Promise<GrpcTls | undefined> {
  if (paths === undefined) return undefined;
  const read = async (name: keyof TlsPaths) => {
    const path = paths[name];
    if (path === undefined) return {};
    const data = await readFile(path).catch((error: unknown) => {
      throw wrap(error, `Failed to read ${name} "${path}"`);
    });
    return { [name]: data };
  };
  return {
    ...(await read("authority")),
    ...(await read("certificate")),
    ...(await read("key")),
  };
}
