import type { Digest } from "../digest/index.js";
import type { ImageLayer } from "../image-pull/index.js";
import type { LoadedTree } from "../merkle-tree/index.js";

/** A tree in CAS in the place of a layer: of an image, layers replayed. */
export interface TreeLayer {
  /** In the form of a layer's; stands for the tree alone. */
  readonly diffId: string;
  /** What progress counts to: content of all files. */
  readonly descriptor: { readonly sizeBytes: number };
  /**
   * Gives its Directories, which are the caller's: they are not kept here.
   * Reads them again for whoever takes them again.
   */
  takeTree(signal: AbortSignal): Promise<LoadedTree>;
  /**
   * Reads blobs, their bytes one after the other; none's last byte comes
   * before it was verified. Ends with an error when the signal is aborted.
   */
  openBlobs(
    digests: Iterable<Digest>,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

/** What a root is made of. */
export type RootLayer = ImageLayer | TreeLayer;

/** What the store has to know of an image. */
export interface RootImage {
  /** The canonical reference, for people. */
  readonly reference: string;
  /** The image's config, for image.json. */
  readonly config: unknown;
  /** Lowest first. */
  readonly layers: readonly RootLayer[];
}
