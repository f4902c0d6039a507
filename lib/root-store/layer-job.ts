import { mkdirSync, writeFileSync } from "node:fs";
import { encodeLayer, readLayer } from "../layer/index.js";
import { receiveChunks } from "../worker-pool/index.js";
import { moveToTrash } from "./content-collector.js";
import { ContentFileSink } from "./content-file-sink.js";
import { removeTree } from "./remove-tree.js";
import type { LayerJob, StoreJobResults, StoreSettings } from "./store-job.js";
import { type ContentKey, contentPath } from "./store-layout.js";
import { WorkerAllowance } from "./worker-allowance.js";

/**
 * Reads a layer in this worker. Its files are in the content store and its
 * record is written when this returns; nothing is durable yet. Throws what
 * readLayer throws, or errors of Node.
 */
export async function runLayerJob(
  job: LayerJob,
  settings: StoreSettings,
): Promise<StoreJobResults["layer"]> {
  mkdirSync(job.tmp);
  const allowance = new WorkerAllowance(job.allowance);
  const sink = new ContentFileSink({
    files: settings.layout.files,
    tmp: job.tmp,
    owner: settings.owner,
    umask: settings.umask,
    allowance,
  });
  try {
    const layer = await readLayer(receiveChunks(job.chunks), {
      descriptor: job.descriptor,
      diffId: job.diffId,
      sink,
      limits: job.limits,
      // The sender is told to stop, and its failure ends the reading.
      signal: new AbortController().signal,
    });
    writeFileSync(job.record, encodeLayer(layer));
    return { stored: sink.stored, entries: layer.entries.length };
  } catch (error) {
    discard(sink.storedKeys, job.trash, settings);
    throw error;
  } finally {
    job.chunks.close();
    allowance.close();
    sink.abandon();
    removeTree(job.tmp);
  }
}

/**
 * Moves files that nothing refers to, since their reading failed, into the
 * trash folder, which is made; removes them where there is no room for it.
 */
export function discard(
  keys: Iterable<ContentKey>,
  trash: string,
  { layout }: StoreSettings,
): void {
  try {
    moveToTrash(layout, keys, trash);
  } catch {
    // A full disk may have no room for the trash either. A pull that counts on
    // one of the files then reads its layer again.
    for (const key of keys) removeTree(`${layout.files}/${contentPath(key)}`);
  }
}
