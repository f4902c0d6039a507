import type { ImageLayer } from "../image-pull/index.js";

/** What the store has to know of an image. */
export interface RootImage {
  /** The canonical reference, for people. */
  readonly reference: string;
  /** The image's config, for image.json. */
  readonly config: unknown;
  /** Lowest first. */
  readonly layers: readonly ImageLayer[];
}
