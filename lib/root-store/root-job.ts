import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  buildImageTree,
  type FileNode,
  type ReplayableLayer,
} from "../image-tree/index.js";
import { tryReadLayerRecord } from "./layer-record-file.js";
import { removeTree } from "./remove-tree.js";
import { encodeRootDescription } from "./root-description.js";
import { RootFileWriter } from "./root-file-writer.js";
import type { RootJob, RootJobResult, StoreSettings } from "./store-job.js";
import { contentPath, layerRecordPath } from "./store-layout.js";
import { WorkerAllowance } from "./worker-allowance.js";

/** The record of a layer cannot be read. */
class DamagedRecordError extends Error {
  readonly diffId: string;

  constructor(diffId: string) {
    super(`Record of layer ${diffId} is damaged`);
    this.diffId = diffId;
  }
}

/**
 * Writes a root into `tmp/`: rootfs, lock, and image.json last. When the store
 * lacks files that a record promises, or a record cannot be read, answers
 * which layers must be read again. Throws what buildImageTree throws, or
 * errors of Node.
 */
export function runRootJob(
  job: RootJob,
  settings: StoreSettings,
): RootJobResult {
  mkdirSync(job.tmp);
  const allowance = new WorkerAllowance(job.allowance);
  const { layout, owner } = settings;
  const { tmp } = job;
  const writer = new RootFileWriter({ layout, tmp, owner, allowance });
  let written = false;
  try {
    const result = writeRoot(job, settings, writer);
    written = result.outcome === "written";
    return result;
  } catch (error) {
    if (!(error instanceof DamagedRecordError)) throw error;
    return { outcome: "incomplete", diffIds: [error.diffId] };
  } finally {
    allowance.close();
    if (!written) writer.discardVariants();
    removeTree(job.tmp);
  }
}

function writeRoot(
  job: RootJob,
  settings: StoreSettings,
  writer: RootFileWriter,
): RootJobResult {
  const tree = buildImageTree(readRecords(job, settings), job.limits);
  mkdirSync(job.directory, 0o755);
  writer.write(tree, join(job.directory, "rootfs"));
  if (writer.missing.length > 0) {
    const diffIds = layersWith(writer.missing, readRecords(job, settings));
    return { outcome: "incomplete", diffIds };
  }
  finish(job, settings, tree.totals);
  const { files, directories, symlinks, sizeBytes } = tree.totals;
  const inodes = directories + symlinks;
  const { stored } = writer;
  return {
    outcome: "written",
    stored,
    sizeBytes,
    entries: files + inodes,
    inodes,
  };
}

function finish(
  { directory, description, layers }: RootJob,
  { owner }: StoreSettings,
  totals: {
    files: number;
    directories: number;
    symlinks: number;
    sizeBytes: number;
  },
): void {
  const lock = join(directory, "lock");
  const image = join(directory, "image.json");
  const diffIds = layers.map(({ diffId }) => diffId);
  const text = encodeRootDescription({ ...description, ...totals, diffIds });
  writeFileSync(lock, "", { mode: 0o644 });
  writeFileSync(image, text, { mode: 0o644 });
  if (owner === undefined) return;
  for (const path of [directory, lock, image]) {
    chownSync(path, owner.uid, owner.gid);
  }
}

/** The layers of the image, each read when it is asked for. */
function* readRecords(
  job: RootJob,
  settings: StoreSettings,
): Generator<ReplayableLayer> {
  for (const { diffId, record } of job.layers) {
    // It may just have been moved to where it stays.
    const layer =
      tryReadLayerRecord(record, diffId) ??
      tryReadLayerRecord(layerRecordPath(settings.layout, diffId), diffId);
    if (layer === undefined) throw new DamagedRecordError(diffId);
    yield layer;
  }
}

/** Diff IDs of the layers that have any of the files. */
function layersWith(
  files: readonly FileNode[],
  layers: Iterable<ReplayableLayer>,
): string[] {
  const paths = new Set(files.map((file) => contentPath(file)));
  const diffIds: string[] = [];
  for (const { diffId, entries } of layers) {
    for (const entry of entries) {
      if (entry.type !== "file" || !paths.has(contentPath(entry))) continue;
      diffIds.push(diffId);
      break;
    }
  }
  return diffIds;
}
