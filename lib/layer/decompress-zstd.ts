import type { DCtx } from "zstd-napi/binding.js";
import { Code, StatusError, toStatusError } from "../status/index.js";

const chunkBytes = 2 ** 20;

/**
 * Largest window of a frame, as a power of two: 128 MiB, which is what the
 * zstd program accepts without being asked. It bounds our memory.
 */
const maximumWindowLog = 27;

/**
 * Decompresses zstd, of any number of frames (RFC 8878). See decompress for
 * the contract. The package's streams are of no use here: one small chunk can
 * expand to gigabytes before they look whether anybody reads.
 */
export async function* decompressZstd(
  next: () => Promise<Uint8Array | undefined>,
): AsyncGenerator<Uint8Array> {
  const { DCtx, DParameter } = await load();
  const context = new DCtx();
  context.setParameter(DParameter.windowLogMax, maximumWindowLog);
  const output = Buffer.allocUnsafeSlow(chunkBytes);
  let isWithinFrame = false;
  for (;;) {
    const chunk = await next();
    if (chunk === undefined) break;
    let input = chunk;
    let isFull = false;
    // A full output says that more may follow without further input, unless
    // the frame is complete: a call after that would begin the next one.
    while (input.length > 0 || (isFull && isWithinFrame)) {
      const { hint, produced, consumed } = step(context, output, input);
      isWithinFrame = hint !== 0;
      isFull = produced === output.length;
      input = input.subarray(consumed);
      if (produced > 0) yield output.subarray(0, produced);
    }
  }
  if (isWithinFrame) throw malformed("unexpected end of blob");
}

function step(context: DCtx, output: Buffer, input: Uint8Array) {
  try {
    const result = context.decompressStream(output, input);
    const [hint, produced, consumed] = result;
    return { hint, produced, consumed };
  } catch (error) {
    throw malformed(toStatusError(error).message, error);
  }
}

// Loaded when first needed: it is an optional dependency, with native code.
async function load() {
  try {
    return (await import("zstd-napi/binding.js")).default;
  } catch (error) {
    throw new StatusError(
      Code.FailedPrecondition,
      "Layer is compressed with zstd, and package zstd-napi is not installed",
      { cause: error },
    );
  }
}

function malformed(detail: string, cause?: unknown): StatusError {
  return new StatusError(
    Code.InvalidArgument,
    `Failed to decompress zstd: ${detail}`,
    { cause },
  );
}
