import { createHash } from "node:crypto";
import {
  type CasContext,
  type ContentAddressableStorage,
  readInOrder,
} from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import { type LoadedTree, loadTree } from "../merkle-tree/index.js";
import type { RootImage } from "./root-image.js";

/**
 * A tree in CAS as an image: one layer, whose files are fetched as far as the
 * store lacks them. Reads its Directories. Throws what loadTree throws.
 */
export async function readTreeImage(
  cas: ContentAddressableStorage,
  root: Digest,
  options: {
    readonly context: CasContext;
  },
): Promise<RootImage> {
  const { instanceName } = options.context;
  const tree = await loadTree(cas, root, options);
  const { contentBytes } = tree.totals;
  let loaded: LoadedTree | undefined = tree;
  return {
    reference: `cas://${root}`,
    config: null, // a tree has none
    layers: [
      {
        diffId: treeLayerId(root),
        descriptor: { sizeBytes: contentBytes },
        takeTree: async (signal) => {
          const taken = loaded;
          loaded = undefined;
          const context = { instanceName, signal };
          return taken ?? (await loadTree(cas, root, { context }));
        },
        openBlobs: (digests, signal) =>
          readInOrder(cas, digests, { instanceName, signal }),
      },
    ],
  };
}

/**
 * The name of a tree's record among those of layers. Not the Directory's own
 * digest: an archive may be made whose bytes are a Directory as well.
 */
function treeLayerId(root: Digest): string {
  const text = `berth: tree in CAS, ${root}`;
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
