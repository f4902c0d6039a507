import {
  type Command,
  Directory,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../../digest/index.js";
import { encodeMessage } from "../../grpc/index.js";
import { compareNames } from "../../merkle-tree/index.js";
import { Code, StatusError } from "../../status/index.js";
import { nameOfImage } from "../action-image.js";
import type { EncodedBlob } from "../blob-writer.js";
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
  const surroundings = surroundingsIn(place.image.tree.root);
  if (surroundings === "taken") {
    throw new StatusError(
      Code.InvalidArgument,
      `Image must not hold "/${execRootName}", which is where the action's inputs go: current value is "${nameOfImage(place.image)}"`,
    );
  }
  const nested = { name: execRootName, digest: action.inputRootDigest };
  const inputRoot = insertDirectory(surroundings, nested);
  return {
    ...routed,
    action: { ...action, inputRootDigest: inputRoot.digest.toProto() },
    inputRoot,
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

/** What of an image's root comes before the exec root, and what behind it. */
interface Surroundings {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** An image's actions share its root; "taken": it has an entry of that name. */
const knownSurroundings = new WeakMap<Directory, Surroundings | "taken">();

/**
 * The canonical Directory with one more node. Only that node is encoded: a
 * message is the concatenation of its fields, and the image's are the same for
 * every action.
 */
function insertDirectory(
  { before, after }: Surroundings,
  node: Directory["directories"][number],
): EncodedBlob {
  const inserted = encode({ directories: [node] });
  const data = Buffer.concat([before, inserted, after]);
  return { digest: Digest.of(data), data };
}

function surroundingsIn(root: Directory): Surroundings | "taken" {
  const known = knownSurroundings.get(root);
  if (known !== undefined) return known;
  const surroundings = encodeSurroundings(root);
  knownSurroundings.set(root, surroundings);
  return surroundings;
}

function encodeSurroundings(root: Directory): Surroundings | "taken" {
  if (names(root, execRootName)) return "taken";
  const { files, directories, ...rest } = root;
  const isBefore = ({ name }: { readonly name: string }) =>
    compareNames(name, execRootName) < 0;
  return {
    before: encode({ files, directories: directories.filter(isBefore) }),
    after: encode({
      ...rest,
      directories: directories.filter((node) => !isBefore(node)),
    }),
  };
}

function encode(fields: Partial<Directory>): Uint8Array {
  return encodeMessage(Directory, Directory.fromPartial(fields));
}

function names(directory: Directory, wanted: string): boolean {
  const { files, directories, symlinks } = directory;
  return [files, directories, symlinks].some((nodes) =>
    nodes.some(({ name }) => name === wanted),
  );
}
