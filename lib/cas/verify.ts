import { createHash } from "node:crypto";
import { Digest } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";

/** Throws DataLoss, with both digests, unless the bytes are the digest's. */
export function verifyBytes(digest: Digest, data: Uint8Array): void {
  const got = Digest.of(data);
  if (!got.equals(digest)) throw mismatch(digest, got.toString());
}

/**
 * Passes a blob's pieces on. Throws DataLoss as soon as there are too many
 * bytes, or at the end when there are too few or others: always before the
 * consumer sees the end.
 */
export async function* verifyStream(
  digest: Digest,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const piece of source) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > digest.sizeBytes) {
      throw mismatch(digest, `more than ${digest.sizeBytes} bytes`);
    }
    hash.update(piece);
    yield piece;
  }
  const got = `${hash.digest("hex")}/${sizeBytes}`;
  if (got !== digest.toString()) throw mismatch(digest, got);
}

function mismatch(wanted: Digest, got: string): StatusError {
  return new StatusError(
    Code.DataLoss,
    `Blob "${wanted}" has other bytes than its digest says: they are ${got}`,
  );
}

/** The error for a blob that is not held. */
export function blobNotFound(digest: Digest): StatusError {
  return new StatusError(Code.NotFound, `Blob "${digest}" not found`);
}

/** Throws ResourceExhausted for a blob too large to be held in memory. */
export function checkReadSize(digest: Digest, maximumSizeBytes: number): void {
  if (digest.sizeBytes <= maximumSizeBytes) return;
  throw new StatusError(
    Code.ResourceExhausted,
    `Blob "${digest}" is too large to be read into memory: the limit is ${maximumSizeBytes} bytes`,
  );
}
