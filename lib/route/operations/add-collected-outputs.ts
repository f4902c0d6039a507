import type { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code, StatusError } from "../../status/index.js";
import { compareUtf8 } from "../compare-utf8.js";
import { quote } from "../quote.js";
import type { RoutedAction } from "../routed-action.js";

/**
 * Has the worker take what the helper collects for outputs, where the command
 * does not list them. Throws InvalidArgument for outputs in each other's place.
 */
export function addCollectedOutputs(
  command: Command,
  { step }: RoutedAction,
): Command {
  const base = command.workingDirectory
    .split("/")
    .filter((part) => part !== "");
  const listed = new Set(
    command.outputPaths.map((path) => fromInputRoot(base, path)),
  );
  const collected = new Set<string>();
  const added: string[] = [];
  for (const wish of step) {
    if (wish.flag !== "collect") continue;
    const path = wish.output.join("/");
    if (collected.has(path)) throw refused("be collected once", path);
    if (`${base.join("/")}/`.startsWith(`${path}/`)) {
      throw refused("not hold the working directory", path);
    }
    collected.add(path);
    if (!listed.has(path)) added.push(fromDirectory(base, wish.output));
  }
  if (added.length === 0) return command;
  const outputPaths = [...command.outputPaths, ...added].sort(compareUtf8);
  return { ...command, outputPaths };
}

function refused(rule: string, path: string): StatusError {
  return new StatusError(
    Code.InvalidArgument,
    `Output path of platform property "berth-collect" must ${rule}: current value is ${quote(path)}`,
  );
}

/** A normalised path of the working directory, from the input root. */
function fromInputRoot(base: readonly string[], path: string): string {
  const components = path.split("/");
  const up = components.filter((component) => component === "..").length;
  return [...base.slice(0, base.length - up), ...components.slice(up)].join(
    "/",
  );
}

/** Components from the input root, as a path from the working directory. */
function fromDirectory(
  base: readonly string[],
  output: readonly string[],
): string {
  const differing = base.findIndex((part, at) => part !== output[at]);
  const common = differing < 0 ? base.length : differing;
  const up = base.slice(common).map(() => "..");
  return [...up, ...output.slice(common)].join("/");
}
