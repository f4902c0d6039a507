import type { LayerDescriptor } from "../layer/index.js";

/** A layer of an image, and how to get its bytes. */
export interface ImageLayer {
  /** "sha256:" and 64 hexadecimal digits, over the uncompressed archive. */
  readonly diffId: string;
  readonly descriptor: LayerDescriptor;
  /**
   * Reads the blob; ends with an error when the signal is aborted. The chunks
   * are the reader's.
   */
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}
