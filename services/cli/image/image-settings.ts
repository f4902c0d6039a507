import { type Platform, parsePlatform } from "../../../lib/image/index.js";
import { toStatusError } from "../../../lib/status/index.js";
import {
  type OptionTable,
  parseOptions,
  usageError,
} from "../parse-options.js";
import {
  parseRegistryFlags,
  type RegistryFlags,
  registryOptionTable,
} from "../registry-flags.js";

/** What all commands on images take. */
const optionTable = {
  json: { type: "boolean", default: false },
  cas: { type: "string" },
  instance: { type: "string", default: "" },
  state: { type: "string" },
  platform: { type: "string" },
  ...registryOptionTable,
  recursive: { type: "boolean", short: "R", default: false },
} as const satisfies OptionTable;

/** What a command on images was told. */
export interface ImageSettings extends RegistryFlags {
  readonly json: boolean;
  /** Of CAS; undefined: that of the running `berth up`. */
  readonly cas: string | undefined;
  readonly instance: string;
  /** Folder of `berth up`; undefined: the usual one. */
  readonly state: string | undefined;
  readonly platform: Platform;
  readonly isRecursive: boolean;
}

/**
 * Parses options and the operands of a command, of which there must be as many
 * as named; those in brackets may be left out. Throws InvalidArgument.
 */
export function parseImageSettings(
  args: readonly string[],
  operands: readonly string[],
): { readonly settings: ImageSettings; readonly operands: readonly string[] } {
  const { values, positionals, rest } = parseOptions(
    "image",
    args,
    optionTable,
  );
  const given = [...positionals, ...(rest ?? [])];
  const missing = operands[given.length];
  if (missing !== undefined && !missing.startsWith("[")) {
    throw usageError("image", `No ${missing} given`);
  }
  const extra = given[operands.length];
  if (extra !== undefined) {
    throw usageError("image", `"${extra}" is one argument too many`);
  }
  const settings = {
    json: values.json,
    cas: values.cas?.replace(/^grpc:\/\//, ""), // as Bazel has it
    instance: values.instance,
    state: values.state,
    platform: parseOwnPlatform(values.platform),
    ...parseRegistryFlags("image", values),
    isRecursive: values.recursive,
  };
  return { settings, operands: given };
}

function parseOwnPlatform(value: string | undefined): Platform {
  if (value === undefined) {
    return parsePlatform(
      `linux/${process.arch === "arm64" ? "arm64" : "amd64"}`,
    );
  }
  try {
    return parsePlatform(value);
  } catch (error) {
    const { message } = toStatusError(error);
    throw usageError("image", `--platform is wrong: ${message}`);
  }
}
