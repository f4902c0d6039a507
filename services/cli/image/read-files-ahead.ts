import type {
  CasContext,
  ContentAddressableStorage,
} from "../../../lib/cas/index.js";
import type { TreeNode, TreePath } from "../../../lib/merkle-tree/index.js";

/** Files up to this size are read whole, many in one call. */
const largestReadAheadBytes = 2 ** 20;

/** Files that are read ahead at most, and their bytes. */
const maximumAhead = 500;
const maximumAheadBytes = 2 ** 24;

/** A path of a tree, and its content if it is a file. */
export interface ReadableTreePath {
  readonly path: string;
  readonly node: TreeNode;
  /**
   * The verified content of a file: it throws before its end if the bytes are
   * wrong. To be called once at most.
   */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * Gives paths in their order, with the content of files; that of small ones
 * is asked for ahead, so that many travel together. Unlike readInOrder(), whose
 * bytes are one stream that ends all reading with itself, it leaves to the
 * caller when each content is read: files of a folder are written many at a
 * time, the last of them when no path is left.
 */
export async function* readFilesAhead(
  paths: AsyncIterable<TreePath>,
  from: {
    readonly cas: ContentAddressableStorage;
    readonly context: CasContext;
  },
): AsyncGenerator<ReadableTreePath, void, void> {
  const { cas, context } = from;
  const ahead: ReadableTreePath[] = [];
  let bytes = 0;
  for await (const { path, node } of paths) {
    const size = node.type === "file" ? node.digest.sizeBytes : 0;
    ahead.push({ path, node, open: opened(node, cas, context) });
    bytes += size <= largestReadAheadBytes ? size : 0;
    if (ahead.length < maximumAhead && bytes < maximumAheadBytes) continue;
    yield* ahead.splice(0);
    bytes = 0;
  }
  yield* ahead;
}

function opened(
  node: TreeNode,
  cas: ContentAddressableStorage,
  context: CasContext,
): () => AsyncIterable<Uint8Array> {
  if (node.type !== "file") return () => one(Promise.resolve(Buffer.alloc(0)));
  const { digest } = node;
  if (digest.sizeBytes > largestReadAheadBytes) {
    return () => cas.open(digest, context);
  }
  const reading = cas.read(digest, context);
  reading.catch(() => {}); // told when it is its turn
  return () => one(reading);
}

async function* one(data: Promise<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield await data;
}
