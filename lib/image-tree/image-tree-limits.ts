/** Limits to what one image may cost us; beyond is ResourceExhausted. */
export interface ImageTreeLimits {
  /** Paths in the tree at any time, while layers are replayed. */
  readonly entries: number;
  /** Components of one path, once its links are followed. */
  readonly depth: number;
}

/** Those of one layer, since an image seldom has more than its largest one. */
export const defaultImageTreeLimits: ImageTreeLimits = {
  // At a few hundred bytes each this is what a worker's memory can spare.
  entries: 2_000_000,
  // See LayerLimits: deeper than any image that we know, and safe to walk.
  depth: 256,
};
