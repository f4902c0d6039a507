const space = 0x20;
const zero = 0x30;
const seven = 0x37;

/**
 * Reads a numeric header field: octal digits amid spaces and NULs (POSIX
 * ustar), or, where the first bit is set, base-256 in two's complement (GNU).
 * An empty field is 0, as all readers have it. NaN when it is malformed or not
 * a safe integer.
 */
export function parseTarNumber(
  bytes: Uint8Array,
  start: number,
  length: number,
): number {
  return ((bytes[start] ?? 0) & 0x80) === 0
    ? parseOctal(bytes, start, start + length)
    : parseBase256(bytes, start, start + length);
}

function parseOctal(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isPadding(bytes[at])) at++;
  let last = end;
  while (last > at && isPadding(bytes[last - 1])) last--;
  let value = 0;
  // A NUL ends the number, whatever follows it in the field.
  for (; at < last && bytes[at] !== 0; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < zero || byte > seven) return Number.NaN;
    value = value * 8 + (byte - zero);
  }
  return value; // at most 12 digits: 36 bits
}

function isPadding(byte: number | undefined): boolean {
  return byte === space || byte === 0;
}

function parseBase256(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] ?? 0;
  const negative = (first & 0x40) !== 0;
  // Negative numbers are read inverted: -a - 1 is ~a in two's complement.
  const inversion = negative ? 0xff : 0;
  let value = (first ^ inversion) & 0x7f;
  for (let at = start + 1; at < end; at++) {
    value = value * 256 + ((bytes[at] ?? 0) ^ inversion);
  }
  const signed = negative ? -value - 1 : value;
  return Number.isSafeInteger(signed) ? signed : Number.NaN;
}
