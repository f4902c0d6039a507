import type { AuthenticatedRecords } from "../../lib/cas-image/index.js";
import { createRecordedImageResolver } from "../../lib/cas-image/index.js";
import {
  createCachingImageResolver,
  createConfiguredImageSource,
  createDeduplicatingImageResolver,
  createDispatchingImageSource,
  createLayoutImageSource,
  createSourceImageResolver,
  type ImageResolver,
  type ImageSource,
} from "../../lib/registry/index.js";
import type { RouterConfiguration } from "./configuration.js";

/** Where images come from, and what that holds open. */
export interface ConfiguredImages {
  /** Registries, mirrors before them, and layouts. */
  readonly source: ImageSource;
  /** A resolver for one instance, with the records it may use. */
  createResolver(records: AuthenticatedRecords | undefined): ImageResolver;
  /** Ends the connections to registries. */
  close(): Promise<void>;
}

/**
 * The images of a configuration. A resolver is, from the outside in: what is
 * known is answered at once; equal questions at the same time become one,
 * which no caller's leaving disturbs for the others; what another router wrote
 * down comes before registries.
 */
export function createConfiguredImages(
  configuration: RouterConfiguration,
): ConfiguredImages {
  const { source: registry, close } =
    createConfiguredImageSource(configuration);
  const layout = createLayoutImageSource();
  const source = createDispatchingImageSource({ registry, layout });
  const { limits } = configuration;
  const fromSource = createSourceImageResolver(source);
  return {
    source,
    createResolver: (records) =>
      createCachingImageResolver(
        createDeduplicatingImageResolver(
          records === undefined
            ? fromSource
            : createRecordedImageResolver(fromSource, records),
        ),
        {
          tagLifetimeMs: limits.tagLifetime,
          privateLifetimeMs: limits.privateImageLifetime,
          failureLifetimeMs: limits.imageFailureLifetime,
        },
      ),
    close,
  };
}
