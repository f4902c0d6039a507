import { parseOptions, usageError } from "../parse-options.js";

const optionTable = {
  engine: { type: "string", default: "127.0.0.1:8980" },
  instance: { type: "string", default: "" },
  input: { type: "string" },
  output: { type: "string", multiple: true, default: [] as string[] },
  "output-folder": { type: "string" },
  env: { type: "string", multiple: true, default: [] as string[] },
  property: { type: "string", multiple: true, default: [] as string[] },
  timeout: { type: "string" },
  cache: { type: "boolean", default: false },
  state: { type: "string" },
  "docker-config": { type: "string" },
} as const;

/** A variable or a platform property. */
export interface NameAndValue {
  readonly name: string;
  readonly value: string;
}

/** What `berth run` was told. */
export interface RunSettings {
  readonly engine: string;
  readonly instance: string;
  /** As it was written; may be a tag. */
  readonly image: string;
  readonly arguments: readonly string[];
  readonly input: string | undefined;
  readonly outputs: readonly string[];
  readonly outputFolder: string | undefined;
  readonly environment: readonly NameAndValue[];
  readonly properties: readonly NameAndValue[];
  /** 0: the engine's default. */
  readonly timeoutSeconds: number;
  /** A result in the action cache will do. */
  readonly mayBeCached: boolean;
  readonly state: string | undefined;
  readonly dockerConfig: string | undefined;
}

/** Parses the arguments of `berth run`; throws InvalidArgument. */
export function parseRunSettings(args: readonly string[]): RunSettings {
  const { values, positionals, rest } = parseOptions("run", args, optionTable);
  const [image, extra] = positionals;
  if (image === undefined) throw usageError("run", "No image given");
  if (extra !== undefined) {
    throw usageError("run", `"${extra}" is one argument too many before "--"`);
  }
  if (rest === undefined || rest.length === 0) {
    throw usageError("run", 'No command given after "--"');
  }
  const timeoutSeconds = Number(values.timeout ?? "0");
  if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 0) {
    throw usageError("run", `"${values.timeout}" is no number of seconds`);
  }
  return {
    engine: values.engine.replace(/^grpc:\/\//, ""), // as Bazel has it
    instance: values.instance,
    image,
    arguments: rest,
    input: values.input,
    outputs: values.output,
    outputFolder: values["output-folder"],
    environment: values.env.map(parsePair),
    properties: values.property.map(parsePair),
    timeoutSeconds,
    mayBeCached: values.cache,
    state: values.state,
    dockerConfig: values["docker-config"],
  };
}

function parsePair(text: string): NameAndValue {
  const equals = text.indexOf("=");
  if (equals <= 0) throw usageError("run", `"${text}" is not NAME=VALUE`);
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}
