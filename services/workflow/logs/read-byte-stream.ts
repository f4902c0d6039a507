import type { ByteStreamClient } from "#proto/google/bytestream/bytestream.js";
import type { Digest } from "../../../lib/digest/index.js";
import { callServerStream } from "../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { RemoteEngine } from "../execution/remote-engine.js";

/** A part of what ByteStream gives under a name. */
export interface ByteRange {
  readonly resourceName: string;
  readonly offset: number;
  /** Most bytes; 0 for all that there are. */
  readonly limit?: number;
}

/**
 * The bytes of a blob or a log from an offset on (google.bytestream, Read).
 * They are not verified, since a part cannot be: the CAS is trusted to show
 * people what it holds. Throws what the call does.
 */
export async function* readByteStream(
  client: ByteStreamClient,
  { resourceName, offset, limit = 0 }: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const request = { resourceName, readOffset: offset, readLimit: limit };
  const read = client.read.bind(client);
  for await (const { data } of callServerStream(read, request, { signal })) {
    if (data.byteLength > 0) yield data;
  }
}

/** A blob's bytes from an offset on; nothing at its end. */
export async function* readBlob(
  { blobs, instanceName }: Pick<RemoteEngine, "blobs" | "instanceName">,
  blob: { digest: Digest; offset: number; limit?: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { digest, offset, limit } = blob;
  if (offset > digest.sizeBytes) {
    throw new StatusError(
      Code.OutOfRange,
      `Offset must be at most ${digest.sizeBytes}: current value is ${offset}`,
    );
  }
  if (offset === digest.sizeBytes) return;
  const prefix = instanceName === "" ? "" : `${instanceName}/`;
  yield* readByteStream(
    blobs,
    {
      resourceName: `${prefix}blobs/${digest}`,
      offset,
      ...(limit !== undefined && { limit }),
    },
    signal,
  );
}
