import { parseArgs } from "node:util";
import { Code, StatusError } from "../status/index.js";

/** What a service is told on its command line. */
export interface ServiceArguments {
  /** Path of the configuration file. */
  readonly configuration: string;
  /** Only say what is wrong with it, and end. */
  readonly checkOnly: boolean;
}

/**
 * Parses `--config=FILE [--check-config]`, which all services take. Prints the
 * help and gives undefined for `--help`; throws InvalidArgument for anything
 * else.
 */
export function parseServiceArguments(
  argv: readonly string[],
  service: { name: string; summary: string },
): ServiceArguments | undefined {
  const values = parse(argv);
  if (values.help) {
    process.stdout.write(
      `usage: ${service.name} --config=FILE [--check-config]\n\n` +
        `${service.summary}\n\n` +
        "  --config=FILE    configuration, YAML or JSON\n" +
        "  --check-config   say what is wrong with it, and end\n",
    );
    return undefined;
  }
  if (values.config === undefined) {
    throw new StatusError(
      Code.InvalidArgument,
      "No configuration given: use --config=FILE",
    );
  }
  return { configuration: values.config, checkOnly: values["check-config"] };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        config: { type: "string" },
        "check-config": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    const { message } = error as TypeError; // parseArgs throws no other
    throw new StatusError(Code.InvalidArgument, message, { cause: error });
  }
}
