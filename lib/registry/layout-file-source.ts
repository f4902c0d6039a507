import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import {
  type Descriptor,
  hashOfOciDigest,
  type ImageReference,
  type LayoutReference,
  maximumManifestSizeBytes,
  type OciDigest,
  ociDigestOf,
  parseManifestOrIndex,
} from "../image/index.js";
import { Code, errno, StatusError, wrap } from "../status/index.js";
import type { FetchedManifest, ImageSource } from "./image-source.js";
import { verifyBlob } from "./verify-blob.js";

const indexMediaType = "application/vnd.oci.image.index.v1+json";

/** Large reads: every chunk crosses several iterators. */
const chunkBytes = 256 * 1024;

/**
 * Reads images from OCI layouts on disk (OCI image specification,
 * image-layout.md). Without a tag or digest, a layout's index.json is the
 * index that the platform is chosen from. Bytes are verified as those of a
 * registry are.
 */
export function createLayoutImageSource(): ImageSource {
  return {
    fetchManifest: async (reference) => {
      try {
        return await fetchManifest(inLayout(reference));
      } catch (error) {
        throw wrap(error, `Failed to read manifest of "${reference}"`);
      }
    },
    openBlob: async function* (reference, descriptor, { signal } = {}) {
      try {
        const path = blobPath(inLayout(reference), descriptor.digest);
        yield* verifyBlob(descriptor, readChunks(path, signal));
      } catch (error) {
        const { digest } = descriptor;
        throw wrap(error, `Failed to read blob ${digest} of "${reference}"`);
      }
    },
  };
}

function inLayout(reference: ImageReference): LayoutReference {
  if (reference.kind === "layout") return reference;
  throw new StatusError(
    Code.InvalidArgument,
    "it does not name an image in a layout",
  );
}

async function fetchManifest(
  reference: LayoutReference,
): Promise<FetchedManifest> {
  if (reference.digest !== undefined) {
    return readManifest(reference, reference.digest);
  }
  const data = await readDocument(join(reference.path, "index.json"));
  if (reference.tag === undefined) {
    return { digest: ociDigestOf(data), contentType: indexMediaType, data };
  }
  const entry = findTag(data, reference.tag);
  const manifest = await readManifest(reference, entry.digest);
  return { ...manifest, contentType: entry.mediaType };
}

function findTag(data: Uint8Array, tag: string): Descriptor {
  const index = parseManifestOrIndex(data, indexMediaType);
  const entries = index.kind === "index" ? index.entries : [];
  const tagged = entries.filter(({ name }) => name === tag);
  if (tagged.length === 1 && tagged[0] !== undefined) return tagged[0];
  throw tagged.length === 0
    ? new StatusError(Code.NotFound, `layout has no tag "${tag}"`)
    : new StatusError(
        Code.InvalidArgument,
        `layout has tag "${tag}" ${tagged.length} times`,
      );
}

async function readManifest(
  reference: LayoutReference,
  digest: OciDigest,
): Promise<FetchedManifest> {
  const data = await readDocument(blobPath(reference, digest));
  const found = ociDigestOf(data);
  if (found !== digest) {
    throw new StatusError(
      Code.DataLoss,
      `manifest ${digest} is corrupt: its bytes have digest ${found}`,
    );
  }
  return { digest, contentType: undefined, data };
}

function blobPath(reference: LayoutReference, digest: OciDigest): string {
  return join(reference.path, "blobs/sha256", hashOfOciDigest(digest));
}

async function readDocument(path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of readChunks(path, undefined)) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maximumManifestSizeBytes) {
      throw new StatusError(
        Code.ResourceExhausted,
        `manifest has more than the ${maximumManifestSizeBytes} bytes allowed`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* readChunks(
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const handle = await openRegularFile(path);
  // The stream closes the handle, also when it is left early.
  const stream = handle.createReadStream({ highWaterMark: chunkBytes, signal });
  yield* stream as AsyncIterable<Buffer>; // no encoding is set
}

async function openRegularFile(path: string): Promise<FileHandle> {
  // To open a FIFO would wait for a writer: with O_NONBLOCK it does not.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch((error: unknown) => {
    if (errno(error) !== "ENOENT") throw error;
    const text = `there is no file "${path}", as an OCI layout has one`;
    throw new StatusError(Code.NotFound, text, { cause: error });
  });
  const stats = await handle.stat();
  if (stats.isFile()) return handle;
  await handle.close();
  throw new StatusError(
    Code.InvalidArgument,
    "layout holds something that is no regular file",
  );
}
