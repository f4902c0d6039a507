import { LRUCache } from "lru-cache";
import type { InstanceName } from "../digest/index.js";

/**
 * Layers that were read, as encodeLayer gives them, by diff ID: what is known
 * of a layer need not be read again. What a cache gives may be damaged or
 * forged only where its implementation says so.
 */
export interface LayerRecordCache {
  /** Undefined where there is none, or where it cannot be had now. */
  get(
    diffId: string,
    instanceName: InstanceName,
  ): Promise<Uint8Array | undefined>;
  put(
    diffId: string,
    record: Uint8Array,
    instanceName: InstanceName,
  ): Promise<void>;
}

/**
 * Keeps records in memory, the least recently used go first. Instance names
 * share nothing: a diff ID that one of them may read tells the other nothing.
 */
export function createInMemoryLayerRecordCache(
  maximumBytes: number,
): LayerRecordCache {
  const records = new LRUCache<string, Uint8Array>({
    maxSize: maximumBytes,
    sizeCalculation: ({ byteLength }) => byteLength + 200,
  });
  const key = (diffId: string, instanceName: InstanceName) =>
    `${diffId} ${instanceName}`;
  return {
    get: async (diffId, instanceName) => records.get(key(diffId, instanceName)),
    put: async (diffId, record, instanceName) => {
      records.set(key(diffId, instanceName), record);
    },
  };
}
