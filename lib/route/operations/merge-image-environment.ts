import type { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code, StatusError } from "../../status/index.js";
import { environmentOf } from "../action-image.js";
import { compareUtf8 } from "../compare-utf8.js";
import { quote } from "../quote.js";
import type { RoutedAction } from "../routed-action.js";

/**
 * Puts the image's Env under the command's own variables: the command wins.
 * The result is sorted by name, each name once, the last one counting, as
 * workers read it. Throws InvalidArgument for a variable of the command that
 * no process can have.
 */
export function mergeImageEnvironment(
  command: Command,
  { place }: RoutedAction,
): Command {
  const variables = new Map<string, string>();
  if (place.kind === "image") {
    for (const { name, value } of environmentOf(place.image)) {
      variables.set(name, value);
    }
  }
  for (const { name, value } of command.environmentVariables) {
    if (name === "" || /[=\0]/.test(name) || value.includes("\0")) {
      throw new StatusError(
        Code.InvalidArgument,
        `Environment variable of command must have a name without "=" and hold no NUL: current name is ${quote(name)}`,
      );
    }
    variables.set(name, value);
  }
  const names = [...variables.keys()].sort(compareUtf8);
  return {
    ...command,
    environmentVariables: names.map((name) => ({
      name,
      value: variables.get(name) ?? "",
    })),
  };
}
