const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const beyondAscii = /[\u0080-\u00ff]/;

/**
 * A byte string of an image (latin1) as the text that CAS wants, which is
 * UTF-8 (REAPI, Directory); undefined where the bytes are not.
 */
export function tryUtf8FromBytes(bytes: string): string | undefined {
  if (!beyondAscii.test(bytes)) return bytes;
  try {
    return decoder.decode(Buffer.from(bytes, "latin1"));
  } catch {
    return undefined;
  }
}
