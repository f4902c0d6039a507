import { z } from "zod";
import { tryReadLocalConfiguration } from "../up/local-configuration-file.js";

/** Where `berth up` listens unless it is told otherwise. */
const usualAddress = "127.0.0.1:8980";

/** The part of the engine's configuration that says where it listens. */
const schema = z.object({
  listen: z.array(z.object({ address: z.string() })).min(1),
});

/**
 * Address of the engine whose state folder this is, as `berth up` wrote it
 * down when it started last; the usual one where nothing can be read, since
 * another user's engine can be used all the same.
 */
export async function findEngineAddress(state: string): Promise<string> {
  const engine = await tryReadLocalConfiguration(state, "engine", schema);
  return engine?.listen[0]?.address ?? usualAddress;
}
