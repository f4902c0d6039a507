import type { ImageLayer } from "../image-pull/index.js";
import type { ResolvedImage } from "./image-resolver.js";
import type { ImageSource } from "./image-source.js";

/** The layers of an image, lowest first, to be read from their source. */
export function imageLayersOf(
  { reference, manifest, config }: ResolvedImage,
  source: ImageSource,
): readonly ImageLayer[] {
  return manifest.layers.map((descriptor, index) => ({
    diffId: config.diffIds[index] ?? "",
    descriptor,
    open: (signal) => source.openBlob(reference, descriptor, { signal }),
  }));
}
