import { formatPlatform } from "../image/index.js";
import { SingleFlight } from "../single-flight/index.js";
import type { ImageResolver, ResolvedImage } from "./image-resolver.js";

/**
 * Lets callers who ask for the same image and platform at the same time share
 * one answer. Who gives up leaves alone; the work stops when nobody waits.
 */
export function createDeduplicatingImageResolver(
  resolver: ImageResolver,
): ImageResolver {
  const flights = new SingleFlight<ResolvedImage>();
  return {
    resolve: (reference, platform, options = {}) =>
      flights.run(
        `${reference} ${formatPlatform(platform)}`,
        (signal) => resolver.resolve(reference, platform, { signal }),
        options.signal,
      ),
  };
}
