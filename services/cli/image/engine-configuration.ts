import { z } from "zod";
import { tryReadLocalConfiguration } from "../up/local-configuration-file.js";

/** The part of the engine's configuration that says where it listens. */
const schema = z.object({
  listen: z.array(z.object({ address: z.string() })).min(1),
});

/**
 * Address of the engine whose state folder this is, as `berth up` wrote it
 * down when it started last; undefined where nothing can be read, as in another
 * user's, whose engine can be used all the same.
 */
export async function findEngineAddress(
  state: string,
): Promise<string | undefined> {
  const engine = await tryReadLocalConfiguration(state, "engine", schema);
  return engine?.listen[0]?.address;
}
