import { readFileSync } from "node:fs";
import type { ReplayableLayer } from "../image-tree/index.js";
import { openEncodedLayer } from "../layer/index.js";

/**
 * The layer of a record; undefined if the record is gone or damaged, for
 * whatever reason: reading the layer again helps in every case. Its entries are
 * decoded as they are asked for.
 */
export function tryReadLayerRecord(
  path: string,
  diffId: string,
): ReplayableLayer | undefined {
  try {
    return openEncodedLayer(readFileSync(path), diffId);
  } catch {
    return undefined;
  }
}
