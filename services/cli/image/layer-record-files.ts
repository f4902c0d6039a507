import {
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import type { LayerRecordCache } from "../../../lib/image-import/index.js";

/** Of all records: some thousand layers of usual images. */
const maximumBytes = 256 * 2 ** 20;

/**
 * Layer records in a folder of this user's, by diff ID, so that the next
 * command need not read an image's layers again. The least recently used go
 * first. Nothing depends on them: what cannot be read or written is left.
 */
export function createLayerRecordFiles(folder: string): LayerRecordCache {
  const pathOf = (diffId: string) =>
    join(folder, diffId.replace(/[^0-9a-z]/g, "-"));
  return {
    get: async (diffId) => {
      try {
        const path = pathOf(diffId);
        const record = await readFile(path);
        const now = new Date();
        await utimes(path, now, now);
        return record;
      } catch {
        return undefined;
      }
    },
    put: async (diffId, record) => {
      const path = pathOf(diffId);
      const made = `${path}.${process.pid}`;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFile(made, record, { mode: 0o600 });
        await rename(made, path);
        await removeOldest(folder);
      } catch {
        // No room, most likely: the next command reads the layer again.
        await rm(made, { force: true }).catch(() => {});
      }
    },
  };
}

async function removeOldest(folder: string): Promise<void> {
  const names = await readdir(folder);
  const records = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const { size, mtimeMs } = await stat(path);
      return { path, size, mtimeMs };
    }),
  );
  let bytes = 0;
  for (const { path, size } of records.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
    bytes += size;
    if (bytes > maximumBytes) await rm(path, { force: true });
  }
}
