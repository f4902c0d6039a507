import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { localPaths } from "./local-configuration.js";

/**
 * What `berth up` wrote down for a service when it started last in this state
 * folder; undefined where nothing of that shape can be read.
 */
export async function tryReadLocalConfiguration<Value>(
  state: string,
  service: "engine" | "router",
  schema: z.ZodType<Value>,
): Promise<Value | undefined> {
  const path = join(localPaths(state).configuration, `${service}.json`);
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined; // another user's, or never started
  }
}
