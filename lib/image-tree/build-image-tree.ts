import type { DroppedCounts } from "../layer/index.js";
import type { DirectoryNode, ImageTotals, ImageTree } from "./image-tree.js";
import {
  defaultImageTreeLimits,
  type ImageTreeLimits,
} from "./image-tree-limits.js";
import { LayerReplay, type ReplayableLayer } from "./layer-replay.js";
import type { MutableDirectory } from "./mutable-node.js";
import { walkImageTree } from "./walk-image-tree.js";

/**
 * The tree of an image from its layers, lowest first. They are asked for one
 * after the other, and none is kept: let the iterable read them when asked to
 * save memory. Throws InvalidArgument when the layers contradict themselves (a
 * path through a file, a hard link to nothing), ResourceExhausted beyond the
 * limits, each with layer and entry, and what the iterable throws.
 */
export function buildImageTree(
  layers: Iterable<ReplayableLayer>,
  limits: ImageTreeLimits = defaultImageTreeLimits,
): ImageTree {
  const replay = new LayerReplay(limits);
  const dropped = { devices: 0, fifos: 0, xattrs: 0, setIds: 0, aufs: 0 };
  for (const layer of layers) {
    replay.apply(layer);
    addCounts(dropped, layer.dropped);
  }
  replay.finish();
  const root = finished(replay.root);
  return { root, totals: totalsOf(root), dropped };
}

// Between layers, and after the last, no pending link or special is left.
function finished(root: MutableDirectory): DirectoryNode {
  return root as DirectoryNode; // LayerReplay.finish took out all else
}

function addCounts(
  sum: { -readonly [Key in keyof DroppedCounts]: number },
  counts: DroppedCounts,
): void {
  sum.devices += counts.devices;
  sum.fifos += counts.fifos;
  sum.xattrs += counts.xattrs;
  sum.setIds += counts.setIds;
  sum.aufs += counts.aufs;
}

function totalsOf(root: DirectoryNode): ImageTotals {
  const totals = { files: 0, directories: 0, symlinks: 0, sizeBytes: 0 };
  const groups = new Set<number>();
  for (const { node } of walkImageTree(root)) {
    if (node.type === "directory") {
      totals.directories++;
    } else if (node.type === "symlink") {
      totals.symlinks++;
    } else {
      totals.files++;
      const group = node.linkGroup;
      if (group === undefined || !groups.has(group)) {
        totals.sizeBytes += node.sizeBytes;
      }
      if (group !== undefined) groups.add(group);
    }
  }
  return totals;
}
