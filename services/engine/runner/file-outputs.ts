import {
  chmodSync,
  type Dirent,
  lstatSync,
  readdirSync,
  readlinkSync,
  type Stats,
} from "node:fs";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import {
  type ActionResult,
  type DirectoryNode,
  type FileNode,
  OutputDirectory,
  OutputFile,
  OutputSymlink,
  type SymlinkNode,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { FileContentAddressableStorage } from "../../../lib/cas/index.js";
import {
  type EncodedDirectory,
  encodeDirectory,
  encodeTree,
} from "../../../lib/merkle-tree/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { FileOutputStorer } from "./file-output-storer.js";
import type { CommandPaths, OutputPath } from "./output-paths.js";

/** Longest path, in bytes, of an output: the kernel takes 4,095. */
const maximumPathBytes = 4_000;

/** Entries in an action's outputs at most. */
const maximumEntries = 1_000_000;

const entriesPerTurn = 200;

/** What collecting needs. */
export interface OutputScope {
  /** The input root on disk. */
  readonly root: string;
  readonly cas: FileContentAddressableStorage;
  readonly storer: FileOutputStorer;
  readonly signal: AbortSignal;
}

/** The fields of a result that say what an action left. */
export type CollectedOutputs = Pick<
  ActionResult,
  | "outputFiles"
  | "outputSymlinks"
  | "outputFileSymlinks"
  | "outputDirectorySymlinks"
  | "outputDirectories"
>;

/**
 * Stores the outputs that a command names. One that is absent is left out.
 * No symlink is followed: as an output it is told as such, and on the way to
 * one it is an error. Throws InvalidArgument for what REAPI cannot express:
 * devices, sockets, FIFOs, names that are no UTF-8.
 */
export async function collectOutputs(
  paths: CommandPaths,
  scope: OutputScope,
): Promise<CollectedOutputs> {
  const collected: CollectedOutputs = {
    outputFiles: [],
    outputSymlinks: [],
    outputFileSymlinks: [],
    outputDirectorySymlinks: [],
    outputDirectories: [],
  };
  for (const output of paths.outputs) {
    const stats = statInside(scope.root, output.path);
    if (stats === undefined) continue;
    await collectOutput({ output, stats, paths }, scope, collected);
  }
  return collected;
}

async function collectOutput(
  found: { output: OutputPath; stats: Stats; paths: CommandPaths },
  scope: OutputScope,
  collected: CollectedOutputs,
): Promise<void> {
  const { output, stats, paths } = found;
  const { given: path, field } = output;
  const file = absolute(scope.root, output.path);
  if (stats.isFile()) {
    const digest = await scope.storer.store(file, stats);
    const isExecutable = (stats.mode & 0o111) !== 0;
    collected.outputFiles.push(
      OutputFile.fromPartial({ path, digest: digest.toProto(), isExecutable }),
    );
  } else if (stats.isSymbolicLink()) {
    const target = readlinkSync(file);
    const symlink = OutputSymlink.fromPartial({ path, target });
    if (field === "output_paths") collected.outputSymlinks.push(symlink);
    // Routers turn old clients' output_files into output_paths, and those
    // clients know the old fields of the result only: so those are filled in
    // any case, as REAPI asks of servers (ActionResult.output_file_symlinks).
    if (field === "output_directories") {
      collected.outputDirectorySymlinks.push(symlink);
    } else collected.outputFileSymlinks.push(symlink);
  } else if (stats.isDirectory()) {
    const tree = await storeDirectory(file, paths, scope);
    collected.outputDirectories.push(
      OutputDirectory.fromPartial({ path, ...tree }),
    );
  } else throw unsupported(output.path);
}

function absolute(root: string, path: string): string {
  return path === "" ? root : `${root}/${path}`;
}

/** lstat by component, so that no symlink leads us out of the root. */
function statInside(root: string, path: string): Stats | undefined {
  let at = root;
  const components = path === "" ? [] : path.split("/");
  const last = components.pop();
  for (const component of components) {
    at += `/${component}`;
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.isSymbolicLink()) {
      throw new StatusError(
        Code.InvalidArgument,
        `Output path "${path}" leads through a symlink that the action made: "${at.slice(root.length + 1)}"`,
      );
    }
    if (!stats.isDirectory()) return undefined;
  }
  if (last !== undefined) at += `/${last}`;
  return lstatSync(at, { throwIfNoEntry: false });
}

async function storeDirectory(
  path: string,
  paths: CommandPaths,
  scope: OutputScope,
): Promise<Partial<OutputDirectory>> {
  const walk: Walk = { ...scope, directories: [], entries: 0 };
  const root = await encodeFrom(path, walk);
  const stored: Partial<OutputDirectory> = {};
  if (paths.wantsTrees) {
    const tree = encodeTree(root, walk.directories);
    await scope.cas.write(tree.data);
    stored.treeDigest = tree.digest.toProto();
    stored.isTopologicallySorted = true;
  }
  if (paths.wantsDirectories) {
    for (const { data } of walk.directories) {
      await scope.cas.write(data);
    }
    stored.rootDirectoryDigest = root.digest.toProto();
  }
  return stored;
}

interface Walk extends OutputScope {
  readonly directories: EncodedDirectory[];
  entries: number;
}

async function encodeFrom(path: string, walk: Walk): Promise<EncodedDirectory> {
  const files: FileNode[] = [];
  const directories: DirectoryNode[] = [];
  const symlinks: SymlinkNode[] = [];
  const nodeProperties = undefined;
  for (const entry of listOutputs(path)) {
    const { name } = entry;
    const child = `${path}/${name}`;
    await countEntry(walk, child);
    if (entry.isFile()) {
      const stats = lstatSync(child);
      const digest = await walk.storer.store(child, stats);
      const isExecutable = (stats.mode & 0o111) !== 0;
      files.push({
        name,
        digest: digest.toProto(),
        isExecutable,
        nodeProperties,
      });
    } else if (entry.isDirectory()) {
      const { digest } = await encodeFrom(child, walk);
      directories.push({ name, digest: digest.toProto() });
    } else if (entry.isSymbolicLink()) {
      symlinks.push({ name, target: readlinkSync(child), nodeProperties });
    } else throw unsupported(child.slice(walk.root.length + 1));
  }
  const encoded = encodeDirectory({ files, directories, symlinks });
  walk.directories.push(encoded);
  return encoded;
}

function listOutputs(path: string): Dirent[] {
  if (process.getuid?.() !== 0) chmodSync(path, 0o700); // may be unreadable
  return readdirSync(path, { withFileTypes: true });
}

async function countEntry(walk: Walk, path: string): Promise<void> {
  walk.entries++;
  if (walk.entries > maximumEntries) {
    throw new StatusError(
      Code.ResourceExhausted,
      `Outputs must hold at most ${maximumEntries} entries`,
    );
  }
  if (Buffer.byteLength(path) > maximumPathBytes) {
    throw new StatusError(
      Code.InvalidArgument,
      `Outputs must have paths of at most ${maximumPathBytes} bytes`,
    );
  }
  if (path.includes("\ufffd")) {
    throw new StatusError(
      Code.InvalidArgument,
      `Output "${path.slice(walk.root.length + 1)}" must have a name in UTF-8`,
    );
  }
  if (walk.entries % entriesPerTurn === 0) {
    await yieldToOthers();
    walk.signal.throwIfAborted();
  }
}

function unsupported(path: string): StatusError {
  return new StatusError(
    Code.InvalidArgument,
    `Output "${path}" must be a file, directory or symlink`,
  );
}
