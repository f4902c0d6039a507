import type { LayerEntry } from "../layer/index.js";
import { isPresent } from "./content-file-sink.js";
import { contentPath } from "./store-layout.js";

/** A file of a tree, as it is to be in the content store. */
export type StoredFile = LayerEntry & { readonly type: "file" };

/** What the content store lacks of a tree's files, and where it comes from. */
export interface ContentPlan {
  /** Whose bytes have to be fetched; each content once. */
  readonly fetch: readonly StoredFile[];
  /**
   * Whose bytes the store has, or will have when all was fetched, under
   * another mode or time.
   */
  readonly copy: readonly {
    readonly from: StoredFile;
    readonly to: StoredFile;
  }[];
}

/**
 * Compares a tree's files with those of the content store, whose folder is
 * `files`. Synchronous; errors are those of Node.
 */
export function planContent(
  entries: readonly LayerEntry[],
  files: string,
): ContentPlan {
  const fetch: StoredFile[] = [];
  const copy: { from: StoredFile; to: StoredFile }[] = [];
  for (const equals of sameContent(entries)) {
    let from: StoredFile | undefined;
    const absent: StoredFile[] = [];
    for (const file of equals) {
      if (isPresent(`${files}/${contentPath(file)}`, file)) from = file;
      else absent.push(file);
    }
    for (const to of absent) {
      if (from !== undefined) copy.push({ from, to });
      else {
        fetch.push(to);
        from = to;
      }
    }
  }
  return { fetch, copy };
}

/** Files of equal bytes together; of those alike in all, one. */
function* sameContent(
  entries: readonly LayerEntry[],
): Generator<readonly StoredFile[]> {
  const sorted = entries
    .filter((entry) => entry.type === "file")
    .sort(compareContent);
  for (let start = 0; start < sorted.length; ) {
    const first = sorted[start];
    if (first === undefined) return;
    let end = start + 1;
    for (let next = sorted[end]; next !== undefined; next = sorted[++end]) {
      if (compareContent(first, next) !== 0) break;
    }
    yield end === start + 1 ? [first] : unlike(sorted.slice(start, end));
    start = end;
  }
}

function unlike(files: readonly StoredFile[]): readonly StoredFile[] {
  const byPath = new Map(files.map((file) => [contentPath(file), file]));
  return [...byPath.values()];
}

function compareContent(a: StoredFile, b: StoredFile): number {
  if (a.sha256 !== b.sha256) return a.sha256 < b.sha256 ? -1 : 1;
  return a.sizeBytes - b.sizeBytes;
}
