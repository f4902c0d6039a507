import { readFileSync } from "node:fs";
import { decodeLayer, type Layer } from "../layer/index.js";

/**
 * The layer of a record; undefined if the record is gone or damaged, for
 * whatever reason: reading the layer again helps in every case.
 */
export function tryReadLayerRecord(
  path: string,
  diffId: string,
): Layer | undefined {
  try {
    return decodeLayer(readFileSync(path), diffId);
  } catch {
    return undefined;
  }
}
