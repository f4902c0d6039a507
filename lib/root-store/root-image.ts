import type { LayerDescriptor } from "../layer/index.js";

/** A layer of an image that is to be made into a root. */
export interface RootLayer {
  /** "sha256:" and 64 hexadecimal digits, over the uncompressed archive. */
  readonly diffId: string;
  readonly descriptor: LayerDescriptor;
  /**
   * Reads the blob; ends with an error when the signal is aborted. The chunks
   * are the reader's.
   */
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** What the store has to know of an image. */
export interface RootImage {
  /** The canonical reference, for people. */
  readonly reference: string;
  /** The image's config, for image.json. */
  readonly config: unknown;
  /** Lowest first. */
  readonly layers: readonly RootLayer[];
}

/** How far a pull is. */
export interface PullProgress {
  readonly layers: number;
  readonly layersDone: number;
  /** Of the layers' blobs; those that the store has count as done. */
  readonly bytes: number;
  readonly bytesDone: number;
  /** Of the layers that are done. */
  readonly entries: number;
}
