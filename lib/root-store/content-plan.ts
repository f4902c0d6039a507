import { isPresent } from "./content-file-sink.js";
import { contentPath } from "./store-layout.js";
import type { StoredFileList } from "./stored-file-list.js";

/** What the content store lacks of a tree's files, and where it comes from. */
export interface ContentPlan {
  /** The tree's files; all else are places in it. */
  readonly files: StoredFileList;
  /** Whose bytes have to be fetched; each content once. */
  readonly fetch: Uint32Array;
  /**
   * Whose bytes the store has, or will have when all was fetched, under
   * another mode or time.
   */
  readonly copy: readonly { readonly from: number; readonly to: number }[];
}

/**
 * Compares a tree's files with those of the content store, whose folder is
 * `files`. Synchronous; errors are those of Node.
 */
export function planContent(
  wanted: StoredFileList,
  files: string,
): ContentPlan {
  const fetch = new Uint32Array(wanted.length);
  let fetched = 0;
  const copy: { from: number; to: number }[] = [];
  for (const places of sameContent(wanted)) {
    const equals = unlike(wanted, places);
    const absent = equals.filter((place) => {
      const file = wanted.at(place);
      return !isPresent(`${files}/${contentPath(file)}`, file);
    });
    let from = equals.find((place) => !absent.includes(place));
    for (const to of absent) {
      if (from !== undefined) {
        copy.push({ from, to });
      } else {
        fetch[fetched++] = to;
        from = to;
      }
    }
  }
  return { files: wanted, fetch: fetch.subarray(0, fetched), copy };
}

/** The places of files of equal bytes together. */
function* sameContent(wanted: StoredFileList): Generator<readonly number[]> {
  let together: number[] = [];
  for (const place of wanted.byContent()) {
    const [first = place] = together;
    if (!wanted.hasSameContent(first, place)) {
      yield together;
      together = [];
    }
    together.push(place);
  }
  if (together.length > 0) yield together;
}

/** Of files alike in all, one. */
function unlike(
  files: StoredFileList,
  places: readonly number[],
): readonly number[] {
  if (places.length === 1) return places;
  const paths = new Map(
    places.map((place) => [contentPath(files.at(place)), place]),
  );
  return [...paths.values()];
}
