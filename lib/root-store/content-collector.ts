import { lstatSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { tryReadLayerRecord } from "./layer-record-file.js";
import type { StoredContent } from "./space-allowance.js";
import type {
  AuditJob,
  CollectJob,
  StoreJobResults,
  StoreSettings,
} from "./store-job.js";
import {
  type ContentKey,
  contentFolders,
  contentPath,
  type StoreLayout,
  trashName,
} from "./store-layout.js";

/**
 * Moves those files of a layer that only the content store links to into the
 * trash folder, which is made. They can be brought back from there until the
 * folder is removed: a root in the making may still count on one of them.
 */
export function runCollectJob(
  job: CollectJob,
  { layout }: StoreSettings,
): StoreJobResults["collect"] {
  const keys = recordedFiles(job.record, job.diffId);
  return { collected: moveToTrash(layout, keys, job.trash) };
}

/**
 * Moves those of the files, and of their variants, that only the content store
 * links to into the trash folder, which is made. Gives what was moved.
 */
export function moveToTrash(
  { files }: StoreLayout,
  keys: Iterable<ContentKey>,
  trash: string,
): StoredContent {
  const collected = { bytes: 0, inodes: 0 };
  mkdirSync(trash);
  for (const key of keys) {
    for (let variant = 0; ; variant++) {
      const name = contentPath(key, variant);
      const file = contentFile(files, name);
      if (file === undefined) break;
      if (file.nlink === 1) collect(files, name, trash, collected);
    }
  }
  return collected;
}

/**
 * Counts what the content store holds, and moves into the trash folder, which
 * is made, what no root links to and no layer's record names. To be run when
 * `tmp/` holds no roots of a process that was killed.
 */
export function runAuditJob(
  job: AuditJob,
  { layout }: StoreSettings,
): StoreJobResults["audit"] {
  const present = { bytes: 0, inodes: 0 };
  const collected = { bytes: 0, inodes: 0 };
  const unlinked = new Set<string>();
  mkdirSync(job.trash);
  for (const folder of contentFolders) {
    for (const entry of readdirSync(join(layout.files, folder))) {
      const name = `${folder}/${entry}`;
      const file = contentFile(layout.files, name);
      if (file === undefined || file.birthtimeMs >= job.beforeMs) continue;
      present.bytes += file.size;
      present.inodes++;
      if (file.nlink === 1) unlinked.add(name);
    }
  }
  if (unlinked.size > 0) {
    for (const hex of readdirSync(layout.layers)) {
      const record = join(layout.layers, hex);
      for (const key of recordedFiles(record, `sha256:${hex}`)) {
        unlinked.delete(contentPath(key));
      }
    }
  }
  for (const name of unlinked) {
    collect(layout.files, name, job.trash, collected);
  }
  return { present, collected };
}

function collect(
  files: string,
  name: string,
  trash: string,
  collected: StoredContent,
): void {
  const path = join(files, name);
  const size = lstatSync(path).size;
  renameSync(path, join(trash, trashName(name)));
  collected.bytes += size;
  collected.inodes++;
}

function contentFile(files: string, name: string) {
  return lstatSync(join(files, name), { throwIfNoEntry: false });
}

/** The files of a record; none if it is gone or damaged. */
function* recordedFiles(record: string, diffId: string): Generator<ContentKey> {
  const layer = tryReadLayerRecord(record, diffId);
  for (const entry of layer?.entries ?? []) {
    if (entry.type === "file") yield entry;
  }
}
