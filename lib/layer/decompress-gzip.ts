import { once } from "node:events";
import { createGunzip, type Gunzip } from "node:zlib";
import { Code, StatusError, toStatusError } from "../status/index.js";

/**
 * Node's 16 KiB halve the throughput: each chunk is a trip to another thread
 * and back.
 */
const chunkBytes = 2 ** 20;

/** Decompression runs this far ahead, on its own thread. */
const readAheadBytes = 2 * chunkBytes;

/**
 * Decompresses gzip, of any number of members (RFC 1952). See decompress for
 * the contract.
 */
export async function* decompressGzip(
  next: () => Promise<Uint8Array | undefined>,
): AsyncGenerator<Uint8Array> {
  const options = {
    chunkSize: chunkBytes,
    // Passed on to the stream. With input waiting, the other thread goes on
    // while this one is busy with what came out before; else they take turns.
    readableHighWaterMark: readAheadBytes,
    writableHighWaterMark: readAheadBytes,
  };
  const stream = createGunzip(options);
  const feeding = feed(next, stream);
  try {
    yield* stream;
  } catch (error) {
    throw convert(error);
  } finally {
    stream.destroy();
    await feeding;
  }
}

// Never rejects: a failure of the source is passed on through the stream.
async function feed(
  next: () => Promise<Uint8Array | undefined>,
  stream: Gunzip,
): Promise<void> {
  try {
    while (!stream.destroyed) {
      const chunk = await next();
      if (chunk === undefined) {
        stream.end();
        return;
      }
      if (!stream.destroyed && !stream.write(chunk)) await drained(stream);
    }
  } catch (error) {
    stream.destroy(toStatusError(error));
  }
}

async function drained(stream: Gunzip): Promise<void> {
  const settled = new AbortController();
  const options = { signal: settled.signal };
  try {
    await Promise.race([
      once(stream, "drain", options),
      once(stream, "close", options),
    ]);
  } catch {
    // once() rejects on the stream's error, which whoever reads it gets.
  } finally {
    settled.abort();
  }
}

function convert(error: unknown): StatusError {
  const converted = toStatusError(error);
  if (converted === error) return converted; // the source's
  const { cause, message } = converted;
  // zlib's codes: Z_DATA_ERROR, Z_BUF_ERROR for a truncated stream, …
  const isObject = typeof cause === "object" && cause !== null;
  const code = isObject && "code" in cause ? String(cause.code) : "";
  if (!code.startsWith("Z_")) return converted;
  return new StatusError(
    code === "Z_MEM_ERROR" ? Code.ResourceExhausted : Code.InvalidArgument,
    `Failed to decompress gzip: ${message}`,
    { cause },
  );
}
