import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { localPaths } from "../up/local-configuration.js";

/** Where `berth up` listens unless it is told otherwise. */
const usualAddress = "127.0.0.1:8980";

/** The part of the engine's configuration that says where it listens. */
const configuration = z.object({
  listen: z.array(z.object({ address: z.string() })).min(1),
});

/**
 * Address of the engine whose state folder this is, as `berth up` wrote it
 * down when it started last; the usual one where nothing can be read.
 */
export async function findEngineAddress(state: string): Promise<string> {
  try {
    const path = join(localPaths(state).configuration, "engine.json");
    const text = await readFile(path, "utf8");
    const { listen } = configuration.parse(JSON.parse(text));
    return listen[0]?.address ?? usualAddress;
  } catch {
    return usualAddress; // another user's engine can be used all the same
  }
}
