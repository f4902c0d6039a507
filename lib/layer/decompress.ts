import { decompressGzip } from "./decompress-gzip.js";
import { decompressZstd } from "./decompress-zstd.js";
import type { LayerCompression } from "./layer-descriptor.js";

/** Gives the next chunk of a blob; undefined at its end. */
export type NextChunk = () => Promise<Uint8Array | undefined>;

/**
 * The uncompressed bytes of a blob. A chunk is valid until the next one is
 * asked for. Throws InvalidArgument on bytes that are not of this compression
 * or end within it, FailedPrecondition where this machine cannot decompress
 * it, and what `next` throws. No call of `next` is under way once it returned
 * or threw.
 */
export function decompress(
  next: NextChunk,
  compression: LayerCompression,
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case "gzip":
      return decompressGzip(next);
    case "zstd":
      return decompressZstd(next);
    case "none":
      return chunksOf(next);
  }
}

async function* chunksOf(next: NextChunk): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = await next();
    if (chunk === undefined) return;
    yield chunk;
  }
}
