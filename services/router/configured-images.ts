import {
  createCachingImageResolver,
  createConfiguredImageSource,
  createDeduplicatingImageResolver,
  createSourceImageResolver,
  type ImageResolver,
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
  const { source, close } = createConfiguredImageSource(configuration);
  const { limits } = configuration;
  const images = createCachingImageResolver(
    createDeduplicatingImageResolver(createSourceImageResolver(source)),
    {
      tagLifetimeMs: limits.tagLifetime,
      privateLifetimeMs: limits.privateImageLifetime,
      failureLifetimeMs: limits.imageFailureLifetime,
    },
  );
  return { images, close };
}
