import type { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code, StatusError } from "../../status/index.js";
import { compareUtf8 } from "../compare-utf8.js";
import type { Operation } from "../operation.js";
import { quote } from "../quote.js";
import { normaliseRelativePath } from "../relative-path.js";

/**
 * Brings working directory and output paths into one spelling, and the output
 * fields of clients before REAPI 2.1 into `output_paths`, which is the only
 * one that newer workers read. Clients of the older fields expect that a
 * directory in them is there, as Bazel 4 does for `declare_directory`; it is
 * remembered for the helper to make. Throws InvalidArgument for a path that
 * leaves the input root: nesting it anywhere would make it legal.
 */
export const normalisePaths: Operation = (routed) => {
  const { command } = routed;
  if (command === undefined) return routed;
  const normalised = normaliseCommand(command);
  return {
    ...routed,
    command: { ...normalised, outputDirectories: [] },
    madeDirectories: normalised.outputDirectories,
  };
};

function normaliseCommand(command: Command): Command {
  const base = normaliseRelativePath(
    command.workingDirectory,
    "Working directory of command",
  );
  const normalise = (path: string) =>
    normaliseRelativePath(path, "Output path of command", base).join("/");
  // REAPI, Command.output_paths: where it is used, the older fields are
  // ignored.
  const isOlder = command.outputPaths.length === 0;
  const files = isOlder ? command.outputFiles.map(normalise) : [];
  const directories = isOlder ? command.outputDirectories.map(normalise) : [];
  return {
    ...command,
    workingDirectory: base.join("/"),
    outputPaths: isOlder
      ? mergeOlderFields(files, directories)
      : sortedUnique(command.outputPaths.map(normalise)),
    outputFiles: [],
    outputDirectories: sortedUnique(directories),
  };
}

/**
 * The older fields tell files from directories, and so forbid what cannot be
 * both (REAPI, Command.output_files): a file is nothing else, and holds
 * nothing. A directory may hold files and directories that are listed too.
 */
function mergeOlderFields(files: string[], directories: string[]): string[] {
  const all = sortedUnique([...files, ...directories]);
  const listed = new Set(directories);
  for (const file of files) {
    if (listed.has(file)) {
      throw new StatusError(
        Code.InvalidArgument,
        `Output path of command must be a file or a directory, not both: current value is ${quote(file)}`,
      );
    }
  }
  const ofFiles = new Set(files);
  for (const path of all) {
    const parent = parentsOf(path).find((above) => ofFiles.has(above));
    if (parent !== undefined) {
      throw new StatusError(
        Code.InvalidArgument,
        `Output file ${quote(parent)} of command must not hold another output: current value is ${quote(path)}`,
      );
    }
  }
  return all;
}

function parentsOf(path: string): string[] {
  const components = path.split("/");
  return components
    .slice(1)
    .map((_, at) => components.slice(0, at + 1).join("/"));
}

function sortedUnique(paths: string[]): string[] {
  return [...new Set(paths)].sort(compareUtf8);
}
