import type { Stats } from "node:fs";
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
import { HeldDirectory } from "./held-directory.js";
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
    using found = find(scope.root, output.path);
    if (found === undefined) continue;
    await collectOutput({ output, found, paths }, scope, collected);
  }
  return collected;
}

async function collectOutput(
  {
    output,
    found: { directory, name, stats },
    paths,
  }: { output: OutputPath; found: Found; paths: CommandPaths },
  scope: OutputScope,
  collected: CollectedOutputs,
): Promise<void> {
  const { given: path, field } = output;
  if (stats.isFile()) {
    const { digest, isExecutable } = await scope.storer.store(directory, name);
    collected.outputFiles.push(
      OutputFile.fromPartial({ path, digest: digest.toProto(), isExecutable }),
    );
  } else if (stats.isSymbolicLink()) {
    const target = directory.readlink(name);
    const symlink = OutputSymlink.fromPartial({ path, target });
    if (field === "output_paths") collected.outputSymlinks.push(symlink);
    // Routers turn old clients' output_files into output_paths, and those
    // clients know the old fields of the result only: so those are filled in
    // any case, as REAPI asks of servers (ActionResult.output_file_symlinks).
    if (field === "output_directories") {
      collected.outputDirectorySymlinks.push(symlink);
    } else collected.outputFileSymlinks.push(symlink);
  } else if (stats.isDirectory()) {
    using inside = directory.open(name);
    const place = { directory: inside, path: output.path };
    const tree = await storeDirectory(place, paths, scope);
    collected.outputDirectories.push(
      OutputDirectory.fromPartial({ path, ...tree }),
    );
  } else throw unsupported(output.path);
}

/** Something of the input root. */
interface Found extends Disposable {
  /** What holds it. */
  readonly directory: HeldDirectory;
  /** "." is the directory itself. */
  readonly name: string;
  readonly stats: Stats;
}

/** Goes by component, so that no symlink leads us out of the root. */
function find(root: string, path: string): Found | undefined {
  const components = path === "" ? [] : path.split("/");
  const name = components.pop() ?? ".";
  let directory = HeldDirectory.open(root);
  let isFound = false;
  try {
    for (const [depth, component] of components.entries()) {
      const stats = directory.stat(component);
      if (stats?.isSymbolicLink()) {
        throw new StatusError(
          Code.InvalidArgument,
          `Output path "${path}" leads through a symlink that the action made: "${components.slice(0, depth + 1).join("/")}"`,
        );
      }
      if (!stats?.isDirectory()) return undefined;
      using above = directory;
      directory = above.open(component);
    }
    const stats = directory.stat(name);
    if (stats === undefined) return undefined;
    isFound = true;
    const found = directory;
    const dispose = () => found[Symbol.dispose]();
    return { directory, name, stats, [Symbol.dispose]: dispose };
  } finally {
    if (!isFound) directory[Symbol.dispose]();
  }
}

/** A directory that is stored. */
interface Place {
  readonly directory: HeldDirectory;
  /** Relative to the input root. */
  readonly path: string;
}

async function storeDirectory(
  place: Place,
  paths: CommandPaths,
  scope: OutputScope,
): Promise<Partial<OutputDirectory>> {
  const walk: Walk = { ...scope, directories: [], entries: 0 };
  const root = await encodeFrom(place, walk);
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

async function encodeFrom(
  { directory, path }: Place,
  walk: Walk,
): Promise<EncodedDirectory> {
  const files: FileNode[] = [];
  const directories: DirectoryNode[] = [];
  const symlinks: SymlinkNode[] = [];
  const nodeProperties = undefined;
  for (const entry of directory.list()) {
    const { name } = entry;
    const child = path === "" ? name : `${path}/${name}`;
    await countEntry(walk, child);
    if (entry.isFile()) {
      const { digest, isExecutable } = await walk.storer.store(directory, name);
      files.push({
        name,
        digest: digest.toProto(),
        isExecutable,
        nodeProperties,
      });
    } else if (entry.isDirectory()) {
      using inside = directory.open(name);
      const place = { directory: inside, path: child };
      const { digest } = await encodeFrom(place, walk);
      directories.push({ name, digest: digest.toProto() });
    } else if (entry.isSymbolicLink()) {
      const target = directory.readlink(name);
      symlinks.push({ name, target, nodeProperties });
    } else throw unsupported(child);
  }
  const encoded = encodeDirectory({ files, directories, symlinks });
  walk.directories.push(encoded);
  return encoded;
}

async function countEntry(walk: Walk, path: string): Promise<void> {
  walk.entries++;
  if (walk.entries > maximumEntries) {
    throw new StatusError(
      Code.InvalidArgument,
      `Outputs must hold at most ${maximumEntries} entries`,
    );
  }
  const length = Buffer.byteLength(walk.root) + 1 + Buffer.byteLength(path);
  if (length > maximumPathBytes) {
    throw new StatusError(
      Code.InvalidArgument,
      `Outputs must have paths of at most ${maximumPathBytes} bytes`,
    );
  }
  if (path.includes("\ufffd")) {
    throw new StatusError(
      Code.InvalidArgument,
      `Output "${path}" must have a name in UTF-8`,
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
