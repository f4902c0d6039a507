import type { ContentAddressableStorage } from "../cas/index.js";
import { Digest } from "../digest/index.js";
import type { LayerRecordCache } from "../image-import/index.js";
import type { AuthenticatedRecords } from "./authenticated-records.js";

/**
 * Layer records that replicas and restarts share: the bytes lie in CAS, and an
 * authenticated record says under which digest. What is not to be had is not
 * known, and the layer is read again. `memory` is asked first.
 */
export function createStoredLayerRecords(parts: {
  readonly cas: ContentAddressableStorage;
  readonly records: AuthenticatedRecords;
  readonly memory: LayerRecordCache;
}): LayerRecordCache {
  const { cas, records, memory } = parts;
  return {
    get: async (diffId, instanceName) => {
      const known = await memory.get(diffId, instanceName);
      if (known !== undefined) return known;
      const place = await records.get(nameOf(diffId), instanceName);
      if (place === undefined) return undefined;
      try {
        const [hash = "", sizeBytes = ""] = place.toString().split("/");
        const digest = Digest.create(hash, Number(sizeBytes));
        const record = await cas.read(digest, { instanceName });
        await memory.put(diffId, record, instanceName);
        return record;
      } catch {
        return undefined; // evicted, most likely
      }
    },
    put: async (diffId, record, instanceName) => {
      await memory.put(diffId, record, instanceName);
      const digest = await cas.write(record, { instanceName });
      const place = Buffer.from(digest.toString());
      await records.put(nameOf(diffId), place, instanceName);
    },
  };
}

function nameOf(diffId: string): string {
  return `layer ${diffId}`;
}
