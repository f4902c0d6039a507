import type { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code, StatusError } from "../../status/index.js";
import { nameOfImage, userOf } from "../action-image.js";
import { tryParseUser } from "../property-value.js";
import { quote } from "../quote.js";
import { normaliseRelativePath } from "../relative-path.js";
import type { Network, RoutedAction } from "../routed-action.js";
import { stepFlags } from "../step-wish.js";
import { execRootName } from "./nest-input-root.js";

/** What an operator says of the helper. */
export interface HelperSettings {
  /** Program and first arguments; the program's path is absolute. */
  readonly command: readonly string[];
  /** Where the action says nothing; "worker": as the helper is configured. */
  readonly defaultNetwork: Network | "worker";
  /** Whether the image's User counts where the action says nothing. */
  readonly imageUser: "ignore" | "use";
  /** Whether the helper may report its faults as Bazel's tests do. */
  readonly infrastructureFailureFile: boolean;
}

/**
 * Puts the helper before the command: `berth-exec flags -- original argv`.
 * All flags stem from the action, the configuration and the image digest.
 */
export function wrapArguments(settings: HelperSettings) {
  return (command: Command, routed: RoutedAction): Command => {
    checkArguments(command.arguments);
    return {
      ...command,
      arguments: [
        ...settings.command,
        ...flagsOf(settings, command, routed),
        "--",
        ...command.arguments,
      ],
    };
  };
}

function checkArguments(given: readonly string[]): void {
  if (given.length === 0) {
    throw new StatusError(
      Code.InvalidArgument,
      "Command must have at least one argument, the program to run",
    );
  }
  const at = given.findIndex((argument) => argument.includes("\0"));
  if (at >= 0) {
    throw new StatusError(
      Code.InvalidArgument,
      `Argument ${at} of command must not hold NUL: current value is ${quote(given[at] ?? "")}`,
    );
  }
}

function flagsOf(
  settings: HelperSettings,
  command: Command,
  routed: RoutedAction,
): string[] {
  const { network = settings.defaultNetwork } = routed;
  const user = routed.user ?? imageUser(settings, routed);
  const flags = placeFlags(routed);
  if (command.workingDirectory !== "") {
    flags.push(`--working-directory=${command.workingDirectory}`);
  }
  for (const directory of routed.madeDirectories) {
    // The current directory is always there, and has no name as seen from it.
    if (directory !== "") flags.push(`--make-directory=${directory}`);
  }
  if (network !== "worker") flags.push(`--network=${network}`);
  if (user !== undefined) flags.push(`--user=${user}`);
  flags.push(...stepFlagsOf(routed));
  const failureFile = settings.infrastructureFailureFile
    ? infrastructureFailureFile(command)
    : undefined;
  if (failureFile !== undefined) {
    flags.push(`--infrastructure-failure-file=${failureFile}`);
  }
  return flags;
}

/** Each once: of flags that may not be repeated there is one value. */
function stepFlagsOf({ step }: RoutedAction): string[] {
  const flags = stepFlags.flatMap((flag) =>
    step
      .filter((wish) => wish.flag === flag)
      .map(({ value }) => `--${flag}=${value}`),
  );
  return [...new Set(flags)];
}

function placeFlags({ place, inputRoot }: RoutedAction): string[] {
  if (place.kind !== "image") return ["--sandbox"];
  const { image } = place;
  // The content is named in any case: what workers learn of a command must not
  // be mixed up between images.
  const name =
    image.tree === undefined
      ? nameOfImage(image)
      : `cas://${image.tree.rootDigest}`;
  return inputRoot === undefined
    ? [`--image=${name}`]
    : [`--inline=${execRootName}`, `--image=${name}`];
}

function imageUser(
  settings: HelperSettings,
  { place }: RoutedAction,
): string | undefined {
  if (settings.imageUser === "ignore" || place.kind !== "image") {
    return undefined;
  }
  const asked = userOf(place.image);
  if (asked === "") return undefined;
  const user = tryParseUser(asked);
  if (user !== undefined) return user;
  throw new StatusError(
    Code.InvalidArgument,
    `User of image "${nameOfImage(place.image)}" must be "user[:group]", each a name or a number: current value is ${quote(asked)}, set platform property "dockerUser"`,
  );
}

/**
 * Where a Bazel test may say that the machine is at fault. A path of another
 * form is no error: the variable is the client's to use as it likes.
 */
function infrastructureFailureFile(command: Command): string | undefined {
  const path = command.environmentVariables.find(
    ({ name }) => name === "TEST_INFRASTRUCTURE_FAILURE_FILE",
  )?.value;
  if (path === undefined || path === "") return undefined;
  try {
    return normaliseRelativePath(
      path,
      "Infrastructure failure file",
      command.workingDirectory.split("/").filter((part) => part !== ""),
    ).join("/");
  } catch {
    return undefined; // absolute, or outside the input root
  }
}
