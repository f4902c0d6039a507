import { formatPlatform } from "../image/index.js";
import { SingleFlight } from "../single-flight/index.js";
import type { ImageResolver, ResolvedImage } from "./image-resolver.js";

/**
 * Lets callers of one instance name who ask for the same image and platform at
 * the same time share one answer. Who gives up leaves alone; the work stops
 * when nobody waits.
 */
export function createDeduplicatingImageResolver(
  resolver: ImageResolver,
): ImageResolver {
  const flights = new SingleFlight<ResolvedImage>();
  return {
    resolve: (reference, platform, options = {}) => {
      const { instanceName } = options;
      const question = `${reference} ${formatPlatform(platform)}`;
      return flights.run(
        `${instanceName ?? ""} ${question}`,
        (signal) =>
          resolver.resolve(reference, platform, { signal, instanceName }),
        options.signal,
      );
    },
  };
}
