import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import { Digest } from "../digest/index.js";
import {
  decodeLayer,
  encodeLayer,
  type Layer,
  readLayer,
} from "../layer/index.js";
import { receiveChunks } from "../worker-pool/index.js";
import { BlobUploader } from "./blob-uploader.js";
import { CasFileSink } from "./cas-file-sink.js";
import type {
  ImportJobResults,
  ImportSettings,
  LayerJob,
  PresenceJob,
} from "./import-worker-job.js";

/**
 * Reads a layer in this worker. All its files are in CAS when this returns.
 * Throws what readLayer and CAS throw.
 */
export async function runLayerJob(
  job: LayerJob,
  settings: ImportSettings,
  cas: ContentAddressableStorage,
): Promise<ImportJobResults["layer"]> {
  // The sender is told to stop, and its failure ends the reading; what is on
  // its way to CAS then has no one who wants it.
  const over = new AbortController();
  const context: CasContext = {
    instanceName: job.instanceName,
    signal: over.signal,
  };
  const uploader = new BlobUploader(cas, context);
  const sink = new CasFileSink(uploader, settings.spoolDirectory);
  try {
    const layer = await readLayer(receiveChunks(job.chunks), {
      descriptor: job.descriptor,
      diffId: job.diffId,
      sink,
      limits: job.limits,
      signal: over.signal,
    });
    await uploader.finish();
    return {
      record: encodeLayer(layer),
      entries: layer.entries.length,
      stored: uploader.stored,
    };
  } catch (error) {
    over.abort(error);
    throw error;
  } finally {
    job.chunks.close();
    await uploader.settle();
    sink.close();
  }
}

/** Asks CAS for all files of a layer that was read some time ago. */
export async function runPresenceJob(
  { record, diffId, instanceName }: PresenceJob,
  cas: ContentAddressableStorage,
): Promise<ImportJobResults["presence"]> {
  let layer: Layer;
  try {
    layer = decodeLayer(record, diffId);
  } catch {
    // Whatever the reason, reading the layer again helps.
    return { outcome: "damaged", entries: 0 };
  }
  const digests: Digest[] = [];
  for (const entry of layer.entries) {
    if (entry.type !== "file") continue;
    digests.push(Digest.create(entry.sha256, entry.sizeBytes));
  }
  const missing = await cas.findMissing(digests, { instanceName });
  const outcome = missing.length === 0 ? "present" : "missing";
  return { outcome, entries: layer.entries.length };
}
