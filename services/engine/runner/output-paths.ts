import {
  type Command,
  Command_OutputDirectoryFormat,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { resolveInputRootPath } from "../../../lib/merkle-tree/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { maximumPathLength } from "./input-root.js";

/** An output that a command names. */
export interface OutputPath {
  /** As the command spells it; results use the same spelling. */
  readonly given: string;
  /** Normalised, relative to the input root. */
  readonly path: string;
  /** The field that named it; decides the fields of the result. */
  readonly field: "output_paths" | "output_files" | "output_directories";
}

/** Where a command runs and what it leaves. */
export interface CommandPaths {
  /** Normalised, relative to the input root. */
  readonly workingDirectory: string;
  readonly outputs: readonly OutputPath[];
  /** Directories that must exist before it runs. */
  readonly requiredDirectories: readonly string[];
  readonly wantsTrees: boolean;
  readonly wantsDirectories: boolean;
}

/**
 * Resolves a command's paths. `output_paths`, when there are any, take the
 * place of the two older fields (REAPI 2.1). Throws InvalidArgument for
 * paths that leave the input root.
 */
export function resolveCommandPaths(command: Command): CommandPaths {
  const workingDirectory = resolvePath(command.workingDirectory, {
    what: "Working directory",
  });
  const resolve = (field: OutputPath["field"]) => (given: string) => ({
    given,
    field,
    path: resolvePath(given, { what: "Output path", base: workingDirectory }),
  });
  const outputs: OutputPath[] =
    command.outputPaths.length > 0
      ? command.outputPaths.map(resolve("output_paths"))
      : [
          ...command.outputFiles.map(resolve("output_files")),
          ...command.outputDirectories.map(resolve("output_directories")),
        ];
  const format = command.outputDirectoryFormat;
  return {
    workingDirectory,
    outputs,
    requiredDirectories: [workingDirectory, ...outputs.map(parentOf)],
    wantsTrees: format !== Command_OutputDirectoryFormat.DIRECTORY_ONLY,
    wantsDirectories: format !== Command_OutputDirectoryFormat.TREE_ONLY,
  };
}

/** Like resolveInputRootPath, and the kernel takes it. */
function resolvePath(
  given: string,
  options: Parameters<typeof resolveInputRootPath>[1],
): string {
  const path = resolveInputRootPath(given, options);
  const isShort =
    Buffer.byteLength(path) <= maximumPathLength &&
    path.split("/").every((name) => Buffer.byteLength(name) <= 255);
  if (isShort) return path;
  throw new StatusError(
    Code.InvalidArgument,
    `${options.what} must have at most ${maximumPathLength} bytes, and each name in it at most 255`,
  );
}

function parentOf({ path }: OutputPath): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
