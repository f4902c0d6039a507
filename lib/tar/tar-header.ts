import { tarError } from "./tar-error.js";
import { parseTarNumber } from "./tar-number.js";

/** Size of a header, and what member data is padded to (POSIX ustar). */
export const blockBytes = 512;

/** One header block, before extended headers have their say. */
export interface TarHeader {
  /** The type flag's byte. */
  readonly type: number;
  /** Byte strings: one character per byte. */
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  /** May be negative. */
  readonly mtimeSeconds: number;
  readonly sizeBytes: number;
  /** Whether the block has the layout of GNU tar, not that of POSIX. */
  readonly isGnu: boolean;
}

/**
 * Reads the header block at an offset. Throws InvalidArgument when its
 * checksum is wrong, or a number in it is malformed, be it one that we have no
 * use for: a reader that has would reject the archive.
 */
export function parseTarHeader(block: Buffer, start: number): TarHeader {
  checkSum(block, start);
  const layout = layoutOf(block, start);
  const number = (field: string, offset: number, length: number) => {
    const value = parseTarNumber(block, start + offset, length);
    if (Number.isNaN(value)) {
      throw tarError(`Header field "${field}" must be a number`);
    }
    return value;
  };
  const mode = number("mode", 100, 8);
  number("uid", 108, 8);
  number("gid", 116, 8);
  const sizeBytes = number("size", 124, 12);
  const mtimeSeconds = number("mtime", 136, 12);
  if (layout !== "v7") {
    number("devmajor", 329, 8);
    number("devminor", 337, 8);
  }
  if (sizeBytes < 0) throw tarError("Size must not be negative");
  const name = text(block, start, 100);
  const prefix = prefixOf(block, start, layout);
  return {
    type: block[start + 156] ?? 0,
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: text(block, start + 157, 100),
    mode,
    mtimeSeconds,
    sizeBytes,
    isGnu: layout === "gnu",
  };
}

/** Whether the block at an offset is all zeros: half of an end marker. */
export function isZeroBlock(block: Buffer, start: number): boolean {
  for (let at = start; at < start + blockBytes; at++) {
    if (block[at] !== 0) return false;
  }
  return true;
}

type Layout = "v7" | "ustar" | "star" | "gnu";

function layoutOf(block: Buffer, start: number): Layout {
  // "ustar\0" and any version is POSIX; "ustar  \0" is GNU, which uses the
  // place of the prefix for other things; "tar\0" at the end is star.
  if (block.toString("latin1", start + 257, start + 262) !== "ustar")
    return "v7";
  if (block[start + 262] === 0) {
    const trailer = block.toString("latin1", start + 508, start + 512);
    return trailer === "tar\0" ? "star" : "ustar";
  }
  const version = block.toString("latin1", start + 262, start + 265);
  return version === "  \0" ? "gnu" : "v7";
}

function prefixOf(block: Buffer, start: number, layout: Layout): string {
  switch (layout) {
    case "ustar":
      return text(block, start + 345, 155);
    case "star":
      return text(block, start + 345, 131);
    case "gnu":
      return misplacedPrefixOf(block, start);
    case "v7":
      return "";
  }
}

// Go's writer before 1.8 put a prefix into GNU headers, where atime and ctime
// are (golang.org/issue/12594); old images have such layers, and Go's reader
// takes what is no time for a prefix. To ignore it would misplace the file.
function misplacedPrefixOf(block: Buffer, start: number): string {
  const isTime = (offset: number) =>
    block[start + offset] === 0 ||
    !Number.isNaN(parseTarNumber(block, start + offset, 12));
  if (isTime(345) && isTime(357)) return "";
  const prefix = text(block, start + 345, 155);
  return /[^\0-\x7f]/.test(prefix) ? "" : prefix;
}

function checkSum(block: Buffer, start: number): void {
  const stated = parseTarNumber(block, start + 148, 8);
  // POSIX sums unsigned bytes; some old writers summed signed ones.
  if (stated === sumOf(block, start, 0)) return;
  if (stated === sumOf(block, start, 0x80)) return;
  throw tarError("Checksum of the header is wrong");
}

// Bytes with a bit of `signBit` count as negative.
function sumOf(block: Buffer, start: number, signBit: number): number {
  let sum = 8 * 0x20; // the field itself counts as spaces
  for (let at = start; at < start + blockBytes; at++) {
    const byte = block[at] ?? 0;
    sum += byte - ((byte & signBit) << 1);
  }
  for (let at = start + 148; at < start + 156; at++) {
    const byte = block[at] ?? 0;
    sum -= byte - ((byte & signBit) << 1);
  }
  return sum;
}

// A field holds a string up to the first NUL, or all of the field.
function text(block: Buffer, start: number, length: number): string {
  let end = start;
  while (end < start + length && block[end] !== 0) end++;
  return end === start ? "" : block.toString("latin1", start, end);
}
