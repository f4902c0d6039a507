/**
 * Limits to what one layer may cost us. What is beyond fails with
 * ResourceExhausted as soon as it is known, before anything is spent on it.
 */
export interface LayerLimits {
  /**
   * Of the uncompressed archive, and, apart from that, of the content of all
   * its files together, in which the holes of sparse files count.
   */
  readonly uncompressedBytes: number;
  /** Members of the archive, those that are left out included. */
  readonly entries: number;
  /** Of one file's content, holes included. */
  readonly fileBytes: number;
  /** Names and link targets of all entries together, which stay in memory. */
  readonly nameBytes: number;
  /** Components of one path. */
  readonly depth: number;
}

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/**
 * Limits that every image we have seen stays far below, and that keep a worker
 * alive: the disk has to hold some such layers, and the memory some hundred
 * bytes for each entry.
 */
export const defaultLayerLimits: LayerLimits = {
  // The largest images in use (CUDA, machine learning) have layers of 10 GiB.
  uncompressedBytes: 20 * gibibyte,
  // Ten times what a full desktop distribution has.
  entries: 2_000_000,
  // One file may be all of the layer.
  fileBytes: 20 * gibibyte,
  // 128 bytes for each entry; 40 to 70 are usual.
  nameBytes: 256 * mebibyte,
  // Deep node_modules trees have about 40; each level is a call on the stack
  // of whoever walks the tree, and a Directory message of its own.
  depth: 256,
};
