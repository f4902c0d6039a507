import { randomUUID } from "node:crypto";
import {
  chmod,
  chown,
  constants,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import type { KernelCalls } from "../kernel-calls/index.js";
import type { LayerLimits } from "../layer/index.js";
import { Code, errno, StatusError, wrap } from "../status/index.js";
import { ContentTrash } from "./content-trash.js";
import { LayerRecords } from "./layer-records.js";
import { tryParseRootDescription } from "./parse-root-description.js";
import { RootIndex } from "./root-index.js";
import type { StoreSettings } from "./store-job.js";
import {
  contentFolders,
  type StoreLayout,
  type StoreOwner,
  storeLayout,
} from "./store-layout.js";
import type { StoreParts } from "./store-parts.js";
import { StoreUsage } from "./store-usage.js";
import { createStoreWorkerPool } from "./store-worker-pool.js";

/** Tells one boot of the machine from another (random(4)). */
const bootIdFile = "/proc/sys/kernel/random/boot_id";

interface OpenOptions {
  readonly directory: string;
  readonly kernel: KernelCalls;
  readonly owner: StoreOwner;
  readonly layerLimits: LayerLimits;
  readonly workers: number;
  readonly now?: () => number;
  readonly onError: (error: unknown) => void;
}

/** A store that was opened. */
export interface OpenedStore {
  readonly parts: StoreParts;
  /** Closing it lets another process have the store. */
  readonly lock: FileHandle;
  /** Settles when the usage is known. */
  readonly counted: Promise<void>;
  /** Settles when pulls may trust what the content store holds. */
  readonly trusted: Promise<void>;
  /** Settles when nothing is left of the process before. */
  readonly settled: Promise<void>;
}

/** See RootStore.open. */
export async function openStore(options: OpenOptions): Promise<OpenedStore> {
  const layout = storeLayout(options.directory);
  const owner = isOwnProcess(options.owner) ? undefined : options.owner;
  const settings: StoreSettings = { layout, owner, umask: process.umask() };
  await make(layout.directory, settings);
  const lock = await takeLock(layout, options.kernel);
  const leftovers = await prepare(layout, settings);
  const pool = createStoreWorkerPool(settings, options.workers);
  const janitor = createStoreWorkerPool(settings, 1);
  pool.warm();
  janitor.warm();
  const trash = new ContentTrash(layout, janitor);
  const usage = new StoreUsage();
  const now = options.now ?? Date.now;
  const sync = () =>
    options.kernel.syncFileSystem(lock.fd).catch((error: unknown) => {
      throw wrap(error, "Failed to make the image store durable");
    });
  const layers = await LayerRecords.open({
    layout,
    pool,
    limits: options.layerLimits,
    now,
    sync,
    trash,
    onError: options.onError,
  });
  const parts: StoreParts = {
    layout,
    kernel: options.kernel,
    pool,
    janitor,
    index: await adoptRoots(layout, leftovers),
    layers,
    trash,
    usage,
    sync,
    now,
  };
  const folder = trash.newFolder();
  const counted = count(parts, leftovers, folder);
  const settled = counted.then(() => trash.empty([folder]));
  settled.catch(options.onError);
  const trusted = (await isSameBoot(layout)) ? Promise.resolve() : counted;
  return { parts, lock, counted, trusted, settled };
}

function isOwnProcess({ uid, gid }: StoreOwner): boolean {
  return uid === process.geteuid?.() && gid === process.getegid?.();
}

/**
 * For the sandbox's user, whose group runners may be in, and nobody else: what
 * is in images is not for all users of a machine.
 */
const storeFolderMode = 0o750;

/** True if it was made; false if it is there. */
async function make(path: string, { owner }: StoreSettings): Promise<boolean> {
  try {
    await mkdir(path, { mode: storeFolderMode });
  } catch (error) {
    if (errno(error) === "EEXIST") return false;
    throw wrap(error, `Failed to make the image store "${path}"`);
  }
  await chmod(path, storeFolderMode); // whatever the umask is
  if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  return true;
}

async function takeLock(
  layout: StoreLayout,
  kernel: KernelCalls,
): Promise<FileHandle> {
  // Not for writing: a disk that fails may still be made read-only.
  const flags = constants.O_RDONLY | constants.O_CREAT;
  const lock = await open(layout.lock, flags, 0o600).catch((error: unknown) => {
    throw wrap(error, `Failed to open the image store "${layout.directory}"`);
  });
  try {
    if (await kernel.tryLockExclusive(lock.fd)) return lock;
  } catch (error) {
    await lock.close();
    throw wrap(error, `Failed to lock the image store "${layout.directory}"`);
  }
  await lock.close();
  throw new StatusError(
    Code.FailedPrecondition,
    `Image store "${layout.directory}" is in use by another root fetcher`,
  );
}

/** What a process before left in `tmp/`. */
interface Leftovers {
  /** The folder that all of it was moved into. */
  readonly folder: string;
  /** Such folders of earlier processes, which stay where they are. */
  readonly older: readonly string[];
}

const leftoversPrefix = "leftovers-";

/**
 * Makes the folders that there must be, and moves all that is in `tmp/` into
 * one folder there. Not what was so moved before: with each process that is
 * killed it would lie one level deeper, until paths are too long.
 */
async function prepare(
  layout: StoreLayout,
  settings: StoreSettings,
): Promise<Leftovers> {
  const { files, layers, roots, tmp } = layout;
  for (const path of [files, layers, roots, tmp]) {
    // The store's own folder may be a volume, whose mode is the operator's;
    // what is beneath was made by us, if by a version that let everyone in.
    if (!(await make(path, settings))) await chmod(path, storeFolderMode);
  }
  const present = new Set(await readdir(files));
  for (const folder of contentFolders) {
    if (!present.has(folder)) await make(join(files, folder), settings);
  }
  const folder = join(tmp, `${leftoversPrefix}${randomUUID()}`);
  const older: string[] = [];
  const names = await readdir(tmp);
  await mkdir(folder);
  for (const name of names) {
    if (name.startsWith(leftoversPrefix)) older.push(join(tmp, name));
    else await rename(join(tmp, name), join(folder, name));
  }
  return { folder, older };
}

async function adoptRoots(
  layout: StoreLayout,
  leftovers: Leftovers,
): Promise<RootIndex> {
  const index = new RootIndex();
  for (const hex of await readdir(layout.roots)) {
    const directory = join(layout.roots, hex);
    const text = await readFile(join(directory, "image.json"), "utf8").catch(
      () => "", // not complete: its eviction was interrupted
    );
    const description = tryParseRootDescription(text);
    if (description === undefined) {
      await rename(directory, join(leftovers.folder, hex));
      continue;
    }
    const { mtimeMs } = await stat(join(directory, "lock"));
    index.add({
      hex,
      reference: description.reference,
      diffIds: description.diffIds,
      sizeBytes: description.sizeBytes,
      inodes: description.directories + description.symlinks,
      lastUsedMs: mtimeMs,
    });
  }
  return index;
}

/**
 * Removes what was left behind, then counts what there is. Files that nothing
 * refers to go into the folder of the trash.
 */
async function count(
  { janitor, usage, layout }: StoreParts,
  leftovers: Leftovers,
  trash: string,
): Promise<void> {
  // What is made from now on is counted as it is made.
  const { birthtimeMs: beforeMs } = await stat(leftovers.folder);
  const paths = [leftovers.folder, ...leftovers.older];
  await janitor.run({ kind: "remove", paths });
  const job = { kind: "audit", trash, beforeMs } as const;
  const { present, collected } = await janitor.run(job);
  usage.add(present);
  usage.remove(collected);
  await writeFile(layout.boot, await readFile(bootIdFile));
}

/**
 * Whether the machine has run since the store was last counted. If not, files
 * that nothing refers to may have lost their bytes with the power.
 */
async function isSameBoot(layout: StoreLayout): Promise<boolean> {
  const last = await readFile(layout.boot, "utf8").catch(() => "");
  return last === (await readFile(bootIdFile, "utf8"));
}
