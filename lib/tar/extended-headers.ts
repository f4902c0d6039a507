import { type PaxRecords, parsePaxRecords } from "./pax-records.js";
import { parseDecimal } from "./sparse-map.js";
import { tarError } from "./tar-error.js";
import type { TarHeader } from "./tar-header.js";

/**
 * Headers that precede a member and override its own: POSIX "x", GNU "L" and
 * "K". Two of a kind are rejected, since readers differ in which one counts.
 */
export class ExtendedHeaders {
  #pax: PaxRecords | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;

  get isEmpty(): boolean {
    return (
      this.#pax === undefined &&
      this.#longName === undefined &&
      this.#longLink === undefined
    );
  }

  /** The records of "x", if there was one. */
  get pax(): PaxRecords | undefined {
    return this.#pax;
  }

  add(type: "x" | "L" | "K", payload: Buffer): void {
    if (type === "x") {
      checkAbsent(this.#pax);
      this.#pax = parsePaxRecords(payload);
      checkNumbers(this.#pax);
    } else if (type === "L") {
      checkAbsent(this.#longName);
      this.#longName = cString(payload);
    } else {
      checkAbsent(this.#longLink);
      this.#longLink = cString(payload);
    }
  }

  /**
   * The header with what precedes it taken into account. GNU's count more
   * than POSIX's where both are given, as GNU tar and Go have it.
   */
  applyTo(header: TarHeader): TarHeader {
    const values = this.#pax?.values;
    const size = values?.get("size");
    const mtime = values?.get("mtime");
    return {
      ...header,
      name: this.#longName || (values?.get("path") ?? header.name),
      linkName: this.#longLink || (values?.get("linkpath") ?? header.linkName),
      sizeBytes: size === undefined ? header.sizeBytes : parseDecimal(size),
      mtimeSeconds:
        mtime === undefined ? header.mtimeSeconds : parsePaxTime(mtime),
    };
  }

  /** How many extended attributes the records hold, under either name. */
  countXattrs(): number {
    let count = 0;
    for (const key of this.#pax?.values.keys() ?? []) {
      if (/^(?:SCHILY|LIBARCHIVE)\.xattr\./.test(key)) count++;
    }
    return count;
  }
}

/**
 * Checks a global header ("g"), which some readers apply to all members that
 * follow and others ignore: it may say nothing that we would read.
 */
export function checkGlobalHeader(payload: Buffer): void {
  const { values, sparsePairs } = parsePaxRecords(payload);
  const keys = sparsePairs.length > 0 ? ["GNU.sparse.map"] : values.keys();
  for (const key of keys) {
    if (/^(?:path|linkpath|size|GNU\.sparse\..*)$/s.test(key)) {
      throw tarError(`Global header must not hold "${key.slice(0, 80)}"`);
    }
  }
}

function checkAbsent(previous: unknown): void {
  if (previous !== undefined) {
    throw tarError("Entry has two extended headers of one kind");
  }
}

// Times and owners have no use here, but other readers reject them.
function checkNumbers({ values }: PaxRecords): void {
  for (const key of ["atime", "ctime"]) {
    const value = values.get(key);
    if (value !== undefined) parsePaxTime(value);
  }
  for (const key of ["uid", "gid"]) {
    const value = values.get(key);
    if (value !== undefined && !/^[+-]?[0-9]{1,18}$/.test(value)) {
      throw tarError(`Record "${key}" must be a number`);
    }
  }
}

// Seconds with a sign and any number of decimals (POSIX pax, "File Times").
function parsePaxTime(value: string): number {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw tarError("Record of a time must be a number");
  const [, sign, whole, fraction = ""] = match;
  if (sign === "") return Number(whole);
  const isWhole = /^0*$/.test(fraction);
  return 0 - Number(whole) - (isWhole ? 0 : 1); // rounded down, never -0
}

function cString(payload: Buffer): string {
  const end = payload.indexOf(0);
  return payload.toString("latin1", 0, end === -1 ? payload.length : end);
}
