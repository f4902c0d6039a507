/** Text, and how many bytes it was. */
export interface Utf8Piece {
  readonly text: string;
  readonly bytes: number;
}

/**
 * Decodes bytes in pieces, none of which cuts a character in two: what is
 * incomplete at the end of a chunk waits for the next. What is no UTF-8
 * becomes U+FFFD.
 */
export async function* utf8Pieces(
  chunks: AsyncIterable<Uint8Array>,
  maximumBytes: number,
): AsyncGenerator<Utf8Piece> {
  let left = Buffer.alloc(0);
  for await (const chunk of chunks) {
    left = Buffer.concat([left, chunk]);
    while (left.length > 0) {
      const wanted = left.subarray(0, maximumBytes);
      const end = wanted.length - incompleteTail(wanted);
      if (end === 0) break;
      yield decode(left.subarray(0, end));
      left = left.subarray(end);
    }
  }
  if (left.length > 0) yield decode(left);
}

function decode(bytes: Uint8Array): Utf8Piece {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return { text: decoder.decode(bytes), bytes: bytes.length };
}

/** How many bytes at the end are the beginning of a character. */
function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return lengthOf(byte) > back ? back : 0;
  }
  return 0;
}

/** Of the character that a leading byte begins. */
function lengthOf(byte: number): number {
  if (byte >= 0xf0) return byte < 0xf8 ? 4 : 1;
  return byte >= 0xe0 ? 3 : 2;
}
