import { tarError } from "./tar-error.js";
import { blockBytes } from "./tar-header.js";
import { parseTarNumber } from "./tar-number.js";

/**
 * Where the bytes of a sparse file belong: offset and length of each stretch
 * in turn, flat. What lies between them is zeros.
 */
export type SparseMap = readonly number[];

/**
 * Throws InvalidArgument unless the stretches are in order, do not overlap,
 * lie within the file, and add up to what the archive holds of it.
 */
export function checkSparseMap(
  map: SparseMap,
  file: { sizeBytes: number; storedBytes: number },
): void {
  let end = 0;
  let stored = 0;
  for (let i = 0; i < map.length; i += 2) {
    const offset = map[i] ?? Number.NaN;
    const length = map[i + 1] ?? Number.NaN;
    // Written so that NaN fails as well.
    if (!(offset >= end && length >= 0 && offset + length <= file.sizeBytes)) {
      throw tarError("Sparse map must be in order and within the file");
    }
    end = offset + length;
    stored += length;
  }
  if (stored !== file.storedBytes) {
    throw tarError(
      `Sparse map must add up to the ${file.storedBytes} bytes that are stored: current value is ${stored}`,
    );
  }
}

/** The map of texts that state offset and length in turn, in decimal. */
export function sparseMapOfTexts(texts: readonly string[]): SparseMap {
  if (texts.length % 2 !== 0) {
    throw tarError("Sparse map must state offset and length in turn");
  }
  return texts.map(parseDecimal);
}

/** A whole number in decimal. Throws InvalidArgument for anything else. */
export function parseDecimal(text: string): number {
  const value = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
    throw tarError(
      `Number must be whole and not negative: current value is "${text.slice(0, 40)}"`,
    );
  }
  return value;
}

/**
 * Appends the stretches that a block of GNU's old sparse format states: in the
 * header itself (4 of them, from byte 386) or in a block that continues it (21
 * of them). Returns whether one more block follows.
 */
export function readOldSparseBlock(
  map: number[],
  block: Buffer,
  at: { start: number; isHeader: boolean },
): boolean {
  const first = at.isHeader ? at.start + 386 : at.start;
  const count = at.isHeader ? 4 : 21;
  for (let i = 0; i < count; i++) {
    const field = first + i * 24;
    if (block[field] === 0) break; // an unused one ends the list
    map.push(
      parseTarNumber(block, field, 12),
      parseTarNumber(block, field + 12, 12),
    );
  }
  return block[first + count * 24] !== 0;
}

/** The file's whole size, from a header of GNU's old sparse format. */
export function oldSparseSize(block: Buffer, start: number): number {
  const size = parseTarNumber(block, start + 483, 12);
  if (!(size >= 0)) throw tarError("Size of a sparse file must be a number");
  return size;
}

/**
 * Collects the map at the head of a file's data (GNU's PAX sparse format 1.0):
 * decimal lines, the number of stretches first, padded to whole blocks.
 */
export class SparseMapLines {
  readonly #numbers: number[] = [];
  #rest = "";

  /** Takes the next block; returns the map once it is complete. */
  push(block: Buffer): SparseMap | undefined {
    const lines = (this.#rest + block.toString("latin1", 0, blockBytes)).split(
      "\n",
    );
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (this.#isComplete()) break; // padding
      this.#numbers.push(parseDecimal(line));
    }
    if (!this.#isComplete()) {
      if (this.#rest.length > 16) parseDecimal(this.#rest); // throws
      return undefined;
    }
    return this.#numbers.slice(1);
  }

  #isComplete(): boolean {
    const [count] = this.#numbers;
    return count !== undefined && this.#numbers.length === 1 + 2 * count;
  }
}
