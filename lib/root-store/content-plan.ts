import { isPresent } from "./content-file-sink.js";
import { contentPath } from "./store-layout.js";
import { type StoredFile, StoredFileList } from "./stored-file-list.js";

/** What the content store lacks of a tree's files, and where it comes from. */
export interface ContentPlan {
  /** Whose bytes have to be fetched; each content once. */
  readonly fetch: StoredFileList;
  /**
   * Whose bytes the store has, or will have when all was fetched, under
   * another mode or time: that of `from` at the same place.
   */
  readonly copy: {
    readonly from: StoredFileList;
    readonly to: StoredFileList;
  };
}

/**
 * Compares a tree's files with those of the content store, whose folder is
 * `files`. Synchronous; errors are those of Node.
 */
export function planContent(
  wanted: StoredFileList,
  files: string,
): ContentPlan {
  const fetch = new StoredFileList(wanted.length);
  const copy = { from: new StoredFileList(), to: new StoredFileList() };
  for (const places of sameContent(wanted)) {
    const equals = unlike(places.map((place) => wanted.at(place)));
    const absent = equals.filter(
      (file) => !isPresent(`${files}/${contentPath(file)}`, file),
    );
    let from = equals.find((file) => !absent.includes(file));
    for (const to of absent) {
      if (from !== undefined) {
        copy.from.push(from);
        copy.to.push(to);
      } else {
        fetch.push(to);
        from = to;
      }
    }
  }
  return { fetch, copy };
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
function unlike(files: readonly StoredFile[]): readonly StoredFile[] {
  if (files.length === 1) return files;
  return [...new Map(files.map((file) => [contentPath(file), file])).values()];
}
