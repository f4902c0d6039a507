/** What part of a content a request wants. */
export type ByteRange =
  | { readonly kind: "all" }
  /** From `first` to `last`, both included; without `last` to the end. */
  | {
      readonly kind: "part";
      readonly first: number;
      readonly last: number | undefined;
    }
  /** Nothing of the content is in it. */
  | { readonly kind: "unsatisfiable" };

const all: ByteRange = { kind: "all" };

/**
 * Reads a Range header (RFC 9110, section 14.2) for a content of this size,
 * or of one that is not known yet. One range is understood; several, and what
 * is malformed, are as if nothing had been said, as the RFC allows. `last` is
 * set, and within the content, where the size is known.
 */
export function parseByteRange(
  header: string | undefined,
  sizeBytes: number | undefined,
): ByteRange {
  const match = /^bytes=[ \t]*(\d{0,15})-(\d{0,16})[ \t]*$/.exec(header ?? "");
  const [, from = "", to = ""] = match ?? [];
  if (match === null || (from === "" && to === "")) return all;
  if (from === "") return suffix(Number(to), sizeBytes);
  const first = Number(from);
  const wanted = to === "" ? undefined : Number(to);
  if (wanted !== undefined && wanted < first) return all;
  if (sizeBytes === undefined) return { kind: "part", first, last: wanted };
  if (first >= sizeBytes) return { kind: "unsatisfiable" };
  const end = sizeBytes - 1;
  return { kind: "part", first, last: Math.min(wanted ?? end, end) };
}

function suffix(length: number, sizeBytes: number | undefined): ByteRange {
  if (sizeBytes === undefined) return all;
  if (length === 0 || sizeBytes === 0) return { kind: "unsatisfiable" };
  const first = Math.max(sizeBytes - length, 0);
  return { kind: "part", first, last: sizeBytes - 1 };
}
