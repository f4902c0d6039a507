import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { localPaths } from "./local-configuration.js";

const schema = z.object({
  instances: z.tuple([z.looseObject({ source: z.string() })]),
});

/**
 * Whether the root fetcher of this state folder pulls images itself; false
 * where `berth up` was never started, or images come by way of CAS.
 */
export async function pullsFromRegistry(state: string): Promise<boolean> {
  const path = join(localPaths(state).configuration, "router.json");
  try {
    const { instances } = schema.parse(
      JSON.parse(await readFile(path, "utf8")),
    );
    return instances[0].source === "registry";
  } catch {
    return false; // another's folder, or none: nothing can be followed there
  }
}
