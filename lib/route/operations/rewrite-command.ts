import type { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Operation } from "../operation.js";
import type { RoutedAction } from "../routed-action.js";

/** Makes an operation of what changes only the Command; it was loaded before. */
export function rewriteCommand(
  rewrite: (command: Command, routed: RoutedAction) => Command,
): Operation {
  return (routed) => {
    const { command } = routed;
    if (command === undefined) return routed;
    return { ...routed, command: rewrite(command, routed) };
  };
}
