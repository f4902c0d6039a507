/** Messages between threads cost the same whatever their size. */
const chunkBytes = 2 ** 19;

/**
 * The same bytes in chunks of even size that nobody else has: pieces of a
 * store may be shared with its other readers, and a thread that is given
 * a chunk takes it away. Before a failure of the source comes what it gave.
 */
export async function* gatherChunks(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let chunk = new Uint8Array(chunkBytes);
  let length = 0;
  let failure: { readonly error: unknown } | undefined;
  const pieces = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await pieces.next().catch((error: unknown) => {
        failure = { error };
        return { done: true as const, value: undefined };
      });
      if (done === true || value === undefined) break;
      for (let at = 0; at < value.byteLength; ) {
        const part = value.subarray(at, at + chunkBytes - length);
        chunk.set(part, length);
        length += part.byteLength;
        at += part.byteLength;
        if (length < chunkBytes) continue;
        yield chunk;
        chunk = new Uint8Array(chunkBytes);
        length = 0;
      }
    }
    if (length > 0) yield chunk.slice(0, length);
  } finally {
    await pieces.return?.();
  }
  if (failure !== undefined) throw failure.error;
}
