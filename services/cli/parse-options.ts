import { type ParseArgsConfig, parseArgs } from "node:util";
import { Code, StatusError } from "../../lib/status/index.js";

/** Options as node:util's parseArgs takes them. */
export type OptionTable = NonNullable<ParseArgsConfig["options"]>;

/**
 * Parses a command's arguments; what comes after "--" is kept apart. Throws
 * InvalidArgument with a hint at the command's help for anything unknown.
 */
export function parseOptions<Options extends OptionTable>(
  command: string,
  args: readonly string[],
  options: Options,
) {
  const end = args.indexOf("--");
  const own = end === -1 ? args : args.slice(0, end);
  try {
    const parsed = parseArgs({
      args: [...own],
      options,
      allowPositionals: true,
    });
    return {
      values: parsed.values,
      positionals: parsed.positionals,
      rest: end === -1 ? undefined : args.slice(end + 1),
    };
  } catch (error) {
    // parseArgs throws TypeErrors whose first sentence says what is wrong.
    const [text] = (error as TypeError).message.split(/\.\s/);
    throw usageError(command, String(text).replace(/\.$/, ""));
  }
}

/** Throws InvalidArgument for arguments that are no options. */
export function refuseArguments(
  command: string,
  parsed: {
    positionals: readonly string[];
    rest: readonly string[] | undefined;
  },
): void {
  const [first] = [...parsed.positionals, ...(parsed.rest ?? [])];
  if (first !== undefined) throw usageError(command, `"${first}" is no option`);
}

/** A mistake in the arguments, with the way to the command's help. */
export function usageError(command: string, text: string): StatusError {
  return new StatusError(
    Code.InvalidArgument,
    `${text}: see "berth help ${command}"`,
  );
}
