import { tarError } from "./tar-error.js";

/** Records of one extended header (POSIX pax), last one of a key only. */
export interface PaxRecords {
  /** Values that are not empty, as byte strings. */
  readonly values: ReadonlyMap<string, string>;
  /**
   * Offsets and lengths of a sparse file in turn, where they are stated as
   * repeated keys (GNU's PAX sparse format 0.0); else empty.
   */
  readonly sparsePairs: readonly string[];
}

const sparseOffset = "GNU.sparse.offset";
const sparseLength = "GNU.sparse.numbytes";

/**
 * Reads "<length> <key>=<value>\n", one after the other. Throws
 * InvalidArgument unless they fill the payload exactly.
 */
export function parsePaxRecords(payload: Buffer): PaxRecords {
  const values = new Map<string, string>();
  const sparsePairs: string[] = [];
  let at = 0;
  while (at < payload.length) {
    const record = parseRecord(payload, at);
    const { key, value } = record;
    at = record.end;
    if (key === sparseOffset || key === sparseLength) {
      const expected = sparsePairs.length % 2 === 0;
      if ((key === sparseOffset) !== expected) {
        throw tarError("Sparse map must state offset and length in turn");
      }
      sparsePairs.push(value);
    } else if (value === "") {
      values.delete(key); // an empty value takes the record back (POSIX pax)
    } else {
      values.set(key, value);
    }
  }
  return { values, sparsePairs };
}

function parseRecord(
  payload: Buffer,
  start: number,
): { key: string; value: string; end: number } {
  const space = payload.indexOf(0x20, start);
  // A longer length than 7 digits is beyond every payload that we accept.
  const digits =
    space === -1
      ? ""
      : payload.toString("latin1", start, Math.min(space, start + 8));
  const end = start + Number(digits);
  const equals = payload.indexOf(0x3d, space);
  if (
    !/^[0-9]{1,7}$/.test(digits) ||
    end > payload.length ||
    payload[end - 1] !== 0x0a ||
    equals <= space + 1 ||
    equals >= end - 1
  ) {
    throw tarError("Record of an extended header is malformed");
  }
  const key = payload.toString("latin1", space + 1, equals);
  const value = payload.toString("latin1", equals + 1, end - 1);
  // Readers differ in whether a NUL ends a string, so none may be in names.
  if (key.includes("\0") || (stringKeys.has(key) && value.includes("\0"))) {
    throw tarError(`Record "${key.slice(0, 80)}" must not hold a NUL`);
  }
  return { key, value, end };
}

const stringKeys = new Set([
  "path",
  "linkpath",
  "uname",
  "gname",
  "GNU.sparse.name",
]);
