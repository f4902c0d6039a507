import { readFile } from "node:fs/promises";
import type { GrpcTls } from "../../lib/grpc/index.js";
import { wrap } from "../../lib/status/index.js";
import type { RouterConfiguration } from "./configuration.js";

/** Reads the PEM files of a `tls` section; throws what the disk says. */
export async function readTls(
  paths: RouterConfiguration["tls"],
): Promise<GrpcTls | undefined> {
  if (paths === undefined) return undefined;
  const read = async (name: "authority" | "certificate" | "key") => {
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
