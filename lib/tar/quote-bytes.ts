/** Longest quotation, in characters: an error is read by people. */
const maximumLength = 200;

/**
 * A byte string in quotes, for texts: bytes that are not printable ASCII are
 * escaped, and what is too long is cut, so that no name can forge a line of a
 * log.
 */
export function quoteBytes(bytes: string): string {
  const shown = bytes
    .slice(0, maximumLength)
    .replace(/[^\x20-\x7e]|["\\]/g, (character) =>
      character === '"' || character === "\\"
        ? `\\${character}`
        : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
  return bytes.length > maximumLength ? `"${shown}"…` : `"${shown}"`;
}
