import type {
  Command,
  Directory,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { encodeDirectory } from "../../merkle-tree/index.js";
import { Code, StatusError } from "../../status/index.js";
import { nameOfImage } from "../action-image.js";
import type { Operation } from "../operation.js";
import type { RoutedAction } from "../routed-action.js";

/** Where an action's own input root is within the image's tree. */
export const execRootName = "bazel_exec_root";

/**
 * Makes the image's tree the input root, and the action's own input root one
 * directory of it. Neither is read: all that is new is one Directory.
 */
export const nestInputRoot: Operation = (routed) => {
  const { place, action } = routed;
  if (place.kind !== "image" || place.image.tree === undefined) return routed;
  const { root } = place.image.tree;
  if (names(root, execRootName)) {
    throw new StatusError(
      Code.InvalidArgument,
      `Image must not hold "/${execRootName}", which is where the action's inputs go: current value is "${nameOfImage(place.image)}"`,
    );
  }
  const nested = { name: execRootName, digest: action.inputRootDigest };
  const { digest, data } = encodeDirectory({
    ...root,
    directories: [...root.directories, nested],
  });
  return {
    ...routed,
    action: { ...action, inputRootDigest: digest.toProto() },
    inputRoot: { digest, data },
  };
};

/**
 * The working directory within the new input root; output paths, which are
 * relative to it, stay.
 */
export function nestWorkingDirectory(
  command: Command,
  { inputRoot }: RoutedAction,
): Command {
  if (inputRoot === undefined) return command;
  const { workingDirectory } = command;
  return {
    ...command,
    workingDirectory:
      workingDirectory === ""
        ? execRootName
        : `${execRootName}/${workingDirectory}`,
  };
}

function names(directory: Directory, wanted: string): boolean {
  const { files, directories, symlinks } = directory;
  return [files, directories, symlinks].some((nodes) =>
    nodes.some(({ name }) => name === wanted),
  );
}
