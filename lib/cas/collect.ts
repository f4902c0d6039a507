/**
 * Reads a stream to its end into one buffer. The caller bounds the size: the
 * streams of a ContentAddressableStorage end at their digest's.
 */
export async function collect(
  source: AsyncIterable<Uint8Array>,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) {
    return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  }
  return Buffer.concat(pieces);
}
