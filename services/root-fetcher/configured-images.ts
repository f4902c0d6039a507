import {
  createDeduplicatingImageResolver,
  createDockerConfigCredentials,
  createMirroringImageSource,
  createSourceImageResolver,
  type ImageResolver,
  type ImageSource,
  RegistryClient,
} from "../../lib/registry/index.js";
import type { RootFetcherConfiguration } from "./configuration.js";

/** Where images come from, and what is held open for it. */
export interface ConfiguredImages {
  readonly source: ImageSource;
  readonly resolver: ImageResolver;
  /** Ends the connections to registries. */
  close(): Promise<void>;
}

/** The registries of a configuration, mirrors before them. */
export function createConfiguredImages({
  registries,
  dockerConfig,
}: RootFetcherConfiguration): ConfiguredImages {
  const client = new RegistryClient({
    registries,
    ...(dockerConfig !== undefined && {
      credentials: createDockerConfigCredentials(dockerConfig),
    }),
  });
  const source = createMirroringImageSource(client, registries);
  const resolver = createDeduplicatingImageResolver(
    createSourceImageResolver(source),
  );
  return { source, resolver, close: () => client.close() };
}
