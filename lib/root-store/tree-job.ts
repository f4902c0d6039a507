import {
  closeSync,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
} from "node:fs";
import { encodeLayerInParts } from "../layer/index.js";
import {
  Code,
  errno,
  innerErrno,
  StatusError,
  toStatusError,
  wrap,
} from "../status/index.js";
import { quoteBytes } from "../tar/index.js";
import { receiveChunks } from "../worker-pool/index.js";
import { collectGarbage } from "./collect-garbage.js";
import { ContentFileSink } from "./content-file-sink.js";
import { type ContentPlan, planContent } from "./content-plan.js";
import { discard } from "./layer-job.js";
import { tryReadLayerRecord } from "./layer-record-file.js";
import { removeTree } from "./remove-tree.js";
import type { StoreJobResults, StoreSettings, TreeJob } from "./store-job.js";
import { contentPath } from "./store-layout.js";
import { type StoredFile, StoredFileList } from "./stored-file-list.js";
import { treeEntries } from "./tree-entries.js";
import { encodeWanted } from "./wanted-blobs.js";
import { WorkerAllowance } from "./worker-allowance.js";

const copiedBytes = 2 ** 20;

/**
 * Brings a tree's files into the content store, in this worker: asks through
 * the port for the blobs that the store lacks. The tree's record is written
 * when this returns, be it for a failure: each file was verified by itself, so
 * what has come need not come again. Throws when nothing has, or there is no
 * room; nothing is durable yet.
 */
export async function runTreeJob(
  job: TreeJob,
  settings: StoreSettings,
): Promise<StoreJobResults["tree"]> {
  mkdirSync(job.tmp);
  const { owner, umask, layout } = settings;
  const { files } = layout;
  const allowance = new WorkerAllowance(job.allowance);
  const sink = new ContentFileSink({
    ...{ files, tmp: job.tmp, owner, umask, allowance },
  });
  try {
    const { entries, wanted } = writeRecord(job);
    collectGarbage(entries); // the Directories
    const plan = planContent(wanted, files);
    postWanted(job, plan);
    const failure = await fill(plan, { job, sink, files }).then(
      () => undefined,
      (error: unknown) => {
        const { code } = toStatusError(error);
        const isNothing = sink.stored.inodes === 0;
        if (isNothing || code === Code.ResourceExhausted) throw error;
        return failureOf(error);
      },
    );
    return { stored: sink.stored, entries, failure };
  } catch (error) {
    removeTree(job.record);
    discard(sink.storedKeys, job.trash, settings);
    throw error;
  } finally {
    job.chunks.close();
    job.wanted.close();
    allowance.close();
    sink.abandon();
    removeTree(job.tmp);
  }
}

function postWanted({ wanted }: TreeJob, { files, fetch }: ContentPlan) {
  const message = encodeWanted(files, fetch);
  wanted.postMessage(message, [message.buffer]);
}

async function fill(
  plan: ContentPlan,
  { job, sink, files }: { job: TreeJob; sink: ContentFileSink; files: string },
): Promise<void> {
  const chunks = receiveChunks(job.chunks);
  let chunk: Uint8Array = new Uint8Array(0);
  for (const place of plan.fetch) {
    const file = plan.files.at(place);
    try {
      sink.begin(file);
      for (let rest = file.sizeBytes; rest > 0; ) {
        if (chunk.length === 0) chunk = await nextOf(chunks);
        const part = chunk.subarray(0, rest);
        sink.write(part);
        rest -= part.length;
        chunk = chunk.subarray(part.length);
      }
      sink.end(file.sha256);
    } catch (error) {
      throw wrap(error, `Failed to fetch ${nameOf(file, job)}`);
    }
  }
  await chunks.return();
  for (const { from, to } of plan.copy) {
    const source = contentPath(plan.files.at(from));
    copyContent(`${files}/${source}`, sink, plan.files.at(to));
  }
}

async function nextOf(chunks: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  const { done, value } = await chunks.next();
  if (done !== true) return value;
  throw new StatusError(Code.Internal, "Fewer bytes came than were asked for");
}

function copyContent(path: string, sink: ContentFileSink, to: StoredFile) {
  let source: number;
  try {
    source = openSync(path, "r");
  } catch (error) {
    // Collected since it was seen. Who makes the root finds out, and has the
    // tree compared with the store again.
    if (errno(error) === "ENOENT") return;
    throw error;
  }
  try {
    sink.begin(to);
    const buffer = Buffer.allocUnsafe(copiedBytes);
    for (;;) {
      const read = readSync(source, buffer, 0, buffer.length, null);
      if (read === 0) break;
      sink.write(buffer.subarray(0, read));
    }
    sink.end(to.sha256);
  } finally {
    closeSync(source);
  }
}

/**
 * Writes the tree's record and lists its files. The entries are made one at
 * a time, and the Directories are let go of: all at once they would take more
 * memory than the rest of the job.
 */
function writeRecord(job: TreeJob): {
  entries: number;
  wanted: StoredFileList;
} {
  const { tree, diffId } = job;
  if (tree === undefined) throw new RangeError("No tree was given");
  job.tree = undefined;
  const length = tree.totals.entries + 1; // the root
  const wanted = new StoredFileList();
  const entries = {
    length,
    *[Symbol.iterator]() {
      for (const entry of treeEntries(tree)) {
        if (entry.type === "file") wanted.push(entry);
        yield entry;
      }
    },
  };
  const dropped = { devices: 0, fifos: 0, xattrs: 0, setIds: 0, aufs: 0 };
  const record = openSync(job.record, "wx");
  try {
    const parts = encodeLayerInParts({ diffId, entries, dropped });
    for (const part of parts) writeFileSync(record, part);
  } finally {
    closeSync(record);
  }
  return { entries: length, wanted };
}

/** The path of a file, for an error text: one of them if there are several. */
function nameOf(file: StoredFile, { record, diffId }: TreeJob): string {
  const path = contentPath(file);
  for (const entry of tryReadLayerRecord(record, diffId)?.entries ?? []) {
    if (entry.type !== "file" || contentPath(entry) !== path) continue;
    return quoteBytes(entry.path);
  }
  return quoteBytes(path); // the record is gone: a disk that fails
}

function failureOf(error: unknown) {
  const { code, message } = toStatusError(error);
  return { code, message, errno: innerErrno(error) };
}
