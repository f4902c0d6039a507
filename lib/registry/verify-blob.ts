import { createHash } from "node:crypto";
import type { Descriptor } from "../image/index.js";
import { Code, StatusError } from "../status/index.js";

/**
 * Passes a blob's bytes on and holds them against the descriptor. Never more
 * than the stated size is passed on, and the last chunk only once size and
 * digest are known to be right; so whoever has all the bytes has the right
 * ones. Throws DataLoss otherwise.
 */
export async function* verifyBlob(
  descriptor: Descriptor,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of source) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > descriptor.sizeBytes) {
      throw dataLoss(descriptor, "it has more bytes than that");
    }
    if (held !== undefined) yield held;
    hash.update(chunk);
    held = chunk;
  }
  if (sizeBytes !== descriptor.sizeBytes) {
    throw dataLoss(descriptor, `it has ${sizeBytes} bytes`);
  }
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest !== descriptor.digest) {
    throw dataLoss(descriptor, `its bytes have digest ${digest}`);
  }
  if (held !== undefined) yield held;
}

function dataLoss(descriptor: Descriptor, found: string): StatusError {
  return new StatusError(
    Code.DataLoss,
    `blob ${descriptor.digest} of ${descriptor.sizeBytes} bytes is corrupt: ${found}`,
  );
}
