import { z } from "zod";
import {
  type RegistryConfiguration,
  registryKeys,
} from "../../../lib/registry/index.js";
import { tryReadLocalConfiguration } from "./local-configuration-file.js";

const schema = z.object({
  registries: registryKeys.registries,
  instances: z.array(z.object({ source: z.string() })).min(1),
});

/**
 * Whether the root fetcher of this state folder pulls images itself; false
 * where `berth up` was never started, or images come by way of CAS: nothing
 * can be followed there.
 */
export async function pullsFromRegistry(state: string): Promise<boolean> {
  const router = await tryReadLocalConfiguration(state, "router", schema);
  return router?.instances[0]?.source === "registry";
}

/**
 * The registries, with their mirrors, that `berth up` was told of when it
 * started last in this state folder; none where nothing can be read.
 */
export async function readLocalRegistries(
  state: string,
): Promise<RegistryConfiguration["registries"]> {
  const router = await tryReadLocalConfiguration(state, "router", schema);
  return router?.registries ?? {};
}
