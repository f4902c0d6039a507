import { createHash } from "node:crypto";
import { Code, StatusError, toStatusError, wrap } from "../status/index.js";
import { TarReader } from "../tar/index.js";
import { decompress } from "./decompress.js";
import { EntryRecorder } from "./entry-recorder.js";
import type { FileSink } from "./file-sink.js";
import type { Layer } from "./layer.js";
import type { LayerDescriptor } from "./layer-descriptor.js";
import { defaultLayerLimits, type LayerLimits } from "./layer-limits.js";
import { VerifiedBlob } from "./verified-blob.js";

/** What readLayer needs to know about a layer, and where its files go. */
export interface ReadLayerOptions {
  /** As the manifest has it. */
  readonly descriptor: LayerDescriptor;
  /** As the image's config has it. */
  readonly diffId: string;
  readonly sink: FileSink;
  /** defaultLayerLimits when absent. */
  readonly limits?: LayerLimits;
  /** Looked at between chunks; a source that waits has to end by itself. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a layer's blob, as it is served, to its last byte. Returns only when
 * the blob's size and digest, and the diff ID of the uncompressed archive, are
 * as stated. The source is closed in any case, once it was opened. Its chunks
 * must not change afterwards: some are decompressed on another thread.
 *
 * Throws, naming the layer and the entry: DataLoss when the blob is not what
 * its descriptor says (another attempt may help); InvalidArgument when the
 * image is wrong (malformed archive, wrong diff ID); ResourceExhausted beyond
 * the limits; FailedPrecondition where zstd is not installed; what the source
 * and the sink throw, with their codes.
 */
export async function readLayer(
  source: AsyncIterable<Uint8Array>,
  options: ReadLayerOptions,
): Promise<Layer> {
  const { descriptor, diffId, signal } = options;
  const limits = options.limits ?? defaultLayerLimits;
  checkDigest("Digest of a layer", descriptor.digest);
  checkDigest("Diff ID", diffId);
  checkSize(descriptor.sizeBytes, limits.uncompressedBytes);
  const blob = new VerifiedBlob(source, descriptor);
  try {
    return await readEntries(blob, { ...options, limits });
  } catch (error) {
    const reason = await reasonOf(error, blob, signal);
    throw wrap(reason, `Failed to read layer "${descriptor.digest}"`);
  } finally {
    await blob.close();
  }
}

async function readEntries(
  blob: VerifiedBlob,
  options: ReadLayerOptions & { readonly limits: LayerLimits },
): Promise<Layer> {
  const { descriptor, diffId, sink, limits, signal } = options;
  const recorder = new EntryRecorder(sink, limits);
  const reader = new TarReader(recorder);
  // An uncompressed blob is hashed already.
  const isPlain = descriptor.compression === "none";
  const hash = isPlain ? undefined : createHash("sha256");
  let totalBytes = 0;
  const next = () => blob.next();
  for await (const chunk of decompress(next, descriptor.compression)) {
    signal?.throwIfAborted();
    totalBytes += chunk.length;
    if (totalBytes > limits.uncompressedBytes) {
      throw new StatusError(
        Code.ResourceExhausted,
        `Layer must have at most ${limits.uncompressedBytes} bytes uncompressed`,
      );
    }
    hash?.update(chunk);
    await reader.write(chunk);
  }
  await reader.end();
  signal?.throwIfAborted();
  const current =
    hash === undefined ? descriptor.digest : `sha256:${hash.digest("hex")}`;
  if (current !== diffId) {
    throw new StatusError(
      Code.InvalidArgument,
      `Diff ID must be that of the uncompressed layer, ${current}: current value is ${diffId}`,
    );
  }
  return { diffId, entries: recorder.entries, dropped: recorder.dropped };
}

// Bytes that make no sense may have been damaged on their way: only when the
// blob is what its descriptor says, the image is to blame, for good.
async function reasonOf(
  error: unknown,
  blob: VerifiedBlob,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  if (toStatusError(error).code !== Code.InvalidArgument || signal?.aborted) {
    return error;
  }
  try {
    await blob.verifyRest();
    return error;
  } catch (blobError) {
    return blobError;
  }
}

function checkDigest(what: string, value: string): void {
  if (/^sha256:[0-9a-f]{64}$/.test(value)) return;
  throw new StatusError(
    Code.InvalidArgument,
    `${what} must be "sha256:" and 64 lower-case hexadecimal digits: current value is "${value.slice(0, 80)}"`,
  );
}

// Before the blob is asked for: bytes that make no sense are read to the size
// that is stated, so that has to be one that we would read anyway.
function checkSize(sizeBytes: number, limit: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new StatusError(
      Code.InvalidArgument,
      `Size of a layer must be a whole number that is not negative: current value is ${sizeBytes}`,
    );
  }
  if (sizeBytes > limit) {
    throw new StatusError(
      Code.ResourceExhausted,
      `Size of a layer must be at most ${limit} bytes: current value is ${sizeBytes}`,
    );
  }
}
