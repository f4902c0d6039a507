import type { ByteCursor } from "./byte-cursor.js";
import type { ExtendedHeaders } from "./extended-headers.js";
import {
  checkSparseMap,
  oldSparseSize,
  parseDecimal,
  readOldSparseBlock,
  type SparseMap,
  SparseMapLines,
  sparseMapOfTexts,
} from "./sparse-map.js";
import { tarError } from "./tar-error.js";
import { blockBytes, type TarHeader } from "./tar-header.js";

/** A file with holes, whichever of GNU's formats says so. */
export interface SparseFile {
  /** The name that goes for the file, if the format has one of its own. */
  readonly name: string | undefined;
  readonly sizeBytes: number;
  readonly map: SparseMap;
  /** What the archive holds from here on: the stretches, without a map. */
  readonly storedBytes: number;
}

/**
 * Largest sparse map, in bytes of the archive: more is an attack on our
 * memory. Go has the same limit.
 */
const maximumMapBytes = 2 ** 20;

/** Reads the blocks that continue a header of GNU's old sparse format ("S"). */
export function* readOldSparse(
  cursor: ByteCursor,
  header: TarHeader,
  block: Buffer,
): Generator<undefined, SparseFile> {
  if (!header.isGnu) throw tarError("Sparse file must have a GNU header");
  const sizeBytes = oldSparseSize(block, 0);
  const map: number[] = [];
  let more = readOldSparseBlock(map, block, { start: 0, isHeader: true });
  for (let read = blockBytes; more; read += blockBytes) {
    checkMapBytes(read);
    const next = yield* cursor.take(blockBytes);
    more = readOldSparseBlock(map, next, { start: 0, isHeader: false });
  }
  const storedBytes = header.sizeBytes;
  checkSparseMap(map, { sizeBytes, storedBytes });
  return { name: undefined, sizeBytes, map, storedBytes };
}

/**
 * What the extended header says about holes (GNU's PAX sparse formats 0.0, 0.1
 * and 1.0); undefined when it says nothing. Format 1.0 has its map at the head
 * of the data, which is consumed. Throws InvalidArgument for any other format,
 * since the content would not be what is stored.
 */
export function* readPaxSparse(
  cursor: ByteCursor,
  header: TarHeader,
  extended: ExtendedHeaders,
): Generator<undefined, SparseFile | undefined> {
  const pax = extended.pax;
  if (pax === undefined) return undefined;
  const { values, sparsePairs } = pax;
  const hasKey = [...values.keys()].some((key) => key.startsWith("GNU.sparse"));
  if (!hasKey && sparsePairs.length === 0) return undefined;
  const size =
    values.get("GNU.sparse.size") ?? values.get("GNU.sparse.realsize");
  if (size === undefined) throw tarError("Sparse file has no size");
  const sizeBytes = parseDecimal(size);
  const name = values.get("GNU.sparse.name");
  const version = `${values.get("GNU.sparse.major") ?? "0"}.${values.get("GNU.sparse.minor") ?? "0"}`;
  let storedBytes = header.sizeBytes;
  let map: SparseMap;
  if (version === "1.0") {
    const head = yield* readMapLines(cursor, storedBytes);
    storedBytes -= head.mapBytes;
    map = head.map;
  } else if (version === "0.0" || version === "0.1") {
    const stated = values.get("GNU.sparse.map")?.split(",") ?? [];
    map = sparseMapOfTexts(stated.length > 0 ? stated : sparsePairs);
    checkCount(map, values.get("GNU.sparse.numblocks"));
  } else {
    throw tarError(`Sparse format ${version} is unknown`);
  }
  checkSparseMap(map, { sizeBytes, storedBytes });
  return { name, sizeBytes, map, storedBytes };
}

function* readMapLines(
  cursor: ByteCursor,
  storedBytes: number,
): Generator<undefined, { map: SparseMap; mapBytes: number }> {
  const lines = new SparseMapLines();
  for (let mapBytes = blockBytes; ; mapBytes += blockBytes) {
    checkMapBytes(mapBytes);
    if (mapBytes > storedBytes) throw tarError("Sparse map is truncated");
    const map = lines.push(yield* cursor.take(blockBytes));
    if (map !== undefined) return { map, mapBytes };
  }
}

function checkMapBytes(bytes: number): void {
  if (bytes > maximumMapBytes) {
    throw tarError(`Sparse map must have at most ${maximumMapBytes} bytes`);
  }
}

function checkCount(map: SparseMap, stated: string | undefined): void {
  if (stated === undefined || parseDecimal(stated) * 2 !== map.length) {
    throw tarError("Sparse map must have as many stretches as it states");
  }
}
