import {
  createCachingImageResolver,
  createDeduplicatingImageResolver,
  createDockerConfigCredentials,
  createMirroringImageSource,
  createSourceImageResolver,
  type ImageResolver,
  RegistryClient,
} from "../../lib/registry/index.js";
import type { RouterConfiguration } from "./configuration.js";

/** A resolver, and what it holds open. */
export interface ConfiguredImages {
  readonly images: ImageResolver;
  /** Ends the connections to registries. */
  close(): Promise<void>;
}

/**
 * The resolver of a configuration. From the outside in: what is known is
 * answered at once; equal questions at the same time become one, which no
 * caller's leaving disturbs for the others; mirrors come before registries.
 */
export function createConfiguredImages(
  configuration: RouterConfiguration,
): ConfiguredImages {
  const { registries, dockerConfig, limits } = configuration;
  const client = new RegistryClient({
    registries,
    ...(dockerConfig === undefined
      ? {}
      : { credentials: createDockerConfigCredentials(dockerConfig) }),
  });
  const source = createMirroringImageSource(client, registries);
  const images = createCachingImageResolver(
    createDeduplicatingImageResolver(createSourceImageResolver(source)),
    {
      tagLifetimeMs: limits.tagLifetime,
      failureLifetimeMs: limits.imageFailureLifetime,
    },
  );
  return { images, close: () => client.close() };
}
