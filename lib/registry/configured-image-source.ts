import { z } from "zod";
import { createDockerConfigCredentials } from "./authentication/docker-config-credentials.js";
import type { ImageSource } from "./image-source.js";
import { createMirroringImageSource } from "./mirroring-image-source.js";
import { RegistryClient } from "./registry-client.js";

const registry = z.strictObject({
  /** HTTP instead of HTTPS; default: on loopback only. */
  plainHttp: z.boolean().optional(),
  /** Hosts of token realms that may see the registry's credential. */
  realmHosts: z.array(z.string()).default([]),
  /** Registries that are asked first. */
  mirrors: z.array(z.string()).default([]),
});

/** What every service's configuration says of registries. */
export const registryKeys = {
  /**
   * By host[:port]; those that are not listed are used over HTTPS, and only
   * at public addresses.
   */
  registries: z.record(z.string(), registry).default({}),
  /** File of credentials like Docker's config.json, with its helpers. */
  dockerConfig: z.string().optional(),
};

/** The values of registryKeys. */
export interface RegistryConfiguration {
  readonly registries: Readonly<Record<string, z.infer<typeof registry>>>;
  readonly dockerConfig?: string | undefined;
}

/** The registries of a configuration, mirrors before them. */
export function createConfiguredImageSource({
  registries,
  dockerConfig,
}: RegistryConfiguration): {
  readonly source: ImageSource;
  /** Ends the connections. */
  close(): Promise<void>;
} {
  const client = new RegistryClient({
    registries,
    ...(dockerConfig !== undefined && {
      credentials: createDockerConfigCredentials(dockerConfig),
    }),
  });
  return {
    source: createMirroringImageSource(client, registries),
    close: () => client.close(),
  };
}
