import type { ContentAddressableStorage } from "../cas/index.js";
import { buildImageTree } from "../image-tree/index.js";
import { decodeLayer, type Layer } from "../layer/index.js";
import { BlobUploader } from "./blob-uploader.js";
import type {
  ImportSettings,
  TreeJob,
  TreeJobResult,
} from "./import-worker-job.js";
import { storeImageTree } from "./store-image-tree.js";

/**
 * Makes the tree of an image in CAS from its layers, whose files are there.
 * All Directories are stored when this returns. Throws DataLoss for a damaged
 * record, what buildImageTree and storeImageTree throw.
 */
export async function runTreeJob(
  { layers, limits, instanceName }: TreeJob,
  { maximumDirectoryBytes }: ImportSettings,
  cas: ContentAddressableStorage,
): Promise<TreeJobResult> {
  const tree = buildImageTree(decoded(layers), limits);
  const uploader = new BlobUploader(cas, { instanceName });
  try {
    const { root, digests, droppedNames } = await storeImageTree(tree, {
      uploader,
      maximumDirectoryBytes,
    });
    await uploader.finish();
    return {
      hash: root.hash,
      sizeBytes: root.sizeBytes,
      totals: tree.totals,
      dropped: { ...tree.dropped, names: droppedNames },
      digests: digests.bytes,
      stored: uploader.stored,
    };
  } finally {
    await uploader.settle();
  }
}

/** One after the other: the entries of all together would be too many. */
function* decoded(layers: TreeJob["layers"]): Generator<Layer> {
  for (const { record, diffId } of layers) {
    yield decodeLayer(record, diffId);
  }
}
