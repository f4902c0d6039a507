import type { LayerEntry } from "./layer.js";

/**
 * How a processed layer is kept: these bytes, the hash of the diff ID (32
 * bytes), the counts of what was dropped, the number of entries, the entries,
 * and a SHA-256 over all that. Numbers and texts are ByteWriter's.
 *
 * An entry is its type, the number of bytes that its path shares with the one
 * before, the length and the bytes of the rest, and what its type has besides.
 */
export const layerMagic = "berth layer 1\n";

/** The numbers of the entries' types; never used for another type again. */
export const typeNumbers: Readonly<Record<LayerEntry["type"], number>> = {
  directory: 1,
  file: 2,
  symlink: 3,
  hardLink: 4,
  whiteout: 5,
  opaque: 6,
  special: 7,
};

/** Of SHA-256, in bytes. */
export const hashBytes = 32;
