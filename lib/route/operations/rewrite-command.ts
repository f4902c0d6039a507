import type { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Operation } from "../operation.js";
import type { RoutedAction } from "../routed-action.js";

/** Makes an operation of what changes only the Command. */
export function rewriteCommand(
  rewrite: (command: Command, routed: RoutedAction) => Command,
): Operation {
  return async (routed, context) => {
    const command = routed.command ?? (await routed.loadCommand(context));
    return { ...routed, command: rewrite(command, routed) };
  };
}
