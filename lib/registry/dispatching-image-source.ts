import type { ImageReference } from "../image/index.js";
import { Code, StatusError } from "../status/index.js";
import type { ImageSource } from "./image-source.js";

/**
 * A source for several kinds of references: each goes to the source of its
 * kind. A tree in CAS has neither manifest nor layers, and is refused with
 * InvalidArgument.
 */
export function createDispatchingImageSource(sources: {
  readonly registry: ImageSource;
  readonly layout: ImageSource;
}): ImageSource {
  const sourceOf = (reference: ImageReference): ImageSource => {
    if (reference.kind !== "cas") return sources[reference.kind];
    throw new StatusError(
      Code.InvalidArgument,
      `Image reference "${reference}" names a tree in CAS, which has no manifest`,
    );
  };
  return {
    fetchManifest: async (reference, options) =>
      sourceOf(reference).fetchManifest(reference, options),
    openBlob: (reference, descriptor, options) =>
      sourceOf(reference).openBlob(reference, descriptor, options),
  };
}
