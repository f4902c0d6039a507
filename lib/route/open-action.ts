import type {
  Action,
  Command,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest, type InstanceName } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import type { CommandReader } from "./command-reader.js";
import type { RoutedAction } from "./routed-action.js";

/**
 * An action as it comes in, before anything of it is understood. Throws
 * InvalidArgument for one that is absent, or names its parts wrongly.
 */
export function openAction(
  action: Action | undefined,
  instanceName: InstanceName,
  commands: CommandReader,
): RoutedAction {
  if (action === undefined) {
    throw new StatusError(Code.InvalidArgument, "No action given");
  }
  const digest = Digest.fromProto(
    action.commandDigest,
    "command_digest of action",
  );
  Digest.fromProto(action.inputRootDigest, "input_root_digest of action");
  let loaded: Promise<Command> | undefined;
  return {
    instanceName,
    action,
    properties: action.platform?.properties ?? [],
    loadCommand: () => {
      loaded ??= commands.read(digest, instanceName);
      return loaded;
    },
    command: undefined,
    madeDirectories: [],
    asked: [],
    place: { kind: "undecided" },
    inputRoot: undefined,
    network: undefined,
    user: undefined,
    step: [],
  };
}
