import { z } from "zod";
import { tryReadLocalConfiguration } from "./local-configuration-file.js";

const schema = z.object({
  instances: z.tuple([z.looseObject({ source: z.string() })]),
});

/**
 * Whether the root fetcher of this state folder pulls images itself; false
 * where `berth up` was never started, or images come by way of CAS: nothing
 * can be followed there.
 */
export async function pullsFromRegistry(state: string): Promise<boolean> {
  const router = await tryReadLocalConfiguration(state, "router", schema);
  return router?.instances[0].source === "registry";
}
