import type {
  CasContext,
  ContentAddressableStorage,
} from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import { listTree, type TreeNode } from "../../../lib/merkle-tree/index.js";
import { wrap } from "../../../lib/status/index.js";
import { encodeTarHeader, tarEnd, tarPadding } from "../../../lib/tar/index.js";
import { permissionsOf, sizeOf } from "./format-node.js";
import type { Output } from "./output.js";
import { readFilesAhead } from "./read-files-ahead.js";

/** A tree that is exported. */
export interface ExportedTree {
  readonly cas: ContentAddressableStorage;
  readonly rootDigest: Digest;
  readonly context: CasContext;
}

/** What was exported. */
export interface TreeTotals {
  files: number;
  directories: number;
  links: number;
  bytes: number;
}

/**
 * Writes a tree as an archive that depends on nothing but the tree: sorted,
 * owned by uid 0, without set-ID bits. Content is verified; an archive that
 * ends without its end marker is not whole.
 */
export async function writeTreeAsTar(
  { cas, rootDigest, context }: ExportedTree,
  output: Output,
): Promise<TreeTotals> {
  const totals = { files: 0, directories: 0, links: 0, bytes: 0 };
  const paths = listTree(cas, rootDigest, { context });
  for await (const { path, node, open } of readFilesAhead(paths, {
    cas,
    context,
  })) {
    await output.write(headerOf(path, node));
    count(totals, node);
    if (node.type !== "file") continue;
    for await (const piece of explained(path, open())) {
      await output.write(piece);
    }
    await output.write(tarPadding(node.digest.sizeBytes));
  }
  await output.write(tarEnd);
  await output.finish();
  return totals;
}

async function* explained(
  path: string,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    throw wrap(error, `Failed to export "/${path}"`);
  }
}

/** Adds a node to what was exported. */
export function count(totals: TreeTotals, node: TreeNode): void {
  if (node.type === "file") totals.files++;
  else if (node.type === "directory") totals.directories++;
  else totals.links++;
  totals.bytes += sizeOf(node);
}

function headerOf(path: string, node: TreeNode): Buffer {
  return encodeTarHeader({
    type: node.type,
    path: node.type === "directory" ? `${path === "" ? "." : path}/` : path,
    ...(node.type === "symlink" && { target: node.target }),
    mode: permissionsOf(node),
    sizeBytes: sizeOf(node),
    mtimeSeconds: node.properties?.mtime?.seconds ?? 0,
  });
}
