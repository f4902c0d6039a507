import { z } from "zod";
import {
  type RegistryConfiguration,
  registryKeys,
} from "../../../lib/registry/index.js";
import { tryReadLocalConfiguration } from "./local-configuration-file.js";

const schema = z.object({ registries: registryKeys.registries });

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
