import { posix } from "node:path";
import { parseOptions, usageError } from "../parse-options.js";
import {
  parseRegistryFlags,
  type RegistryFlags,
  registryOptionTable,
} from "../registry-flags.js";

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
  ...registryOptionTable,
} as const;

/** A variable or a platform property. */
export interface NameAndValue {
  readonly name: string;
  readonly value: string;
}

/** What `berth run` was told. */
export interface RunSettings extends RegistryFlags {
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
  const engine = values.engine.replace(/^grpc:\/\//, ""); // as Bazel has it
  if (!/^(?:unix:.+|[^/]+:\d+)$/.test(engine)) {
    const wanted = 'an address such as "127.0.0.1:8980"';
    throw wrongValue("engine", wanted, values.engine);
  }
  return {
    engine,
    instance: values.instance,
    image,
    arguments: rest,
    input: values.input,
    outputs: parseOutputs(values.output),
    outputFolder: values["output-folder"],
    environment: values.env.map((text) => parsePair("env", text)),
    properties: values.property.map((text) => parsePair("property", text)),
    timeoutSeconds: parseTimeout(values.timeout),
    mayBeCached: values.cache,
    state: values.state,
    ...parseRegistryFlags("run", values),
  };
}

/** As the engine's default has it for the longest timeout: a day. */
const maximumTimeoutSeconds = 24 * 3_600;

function wrongValue(option: string, wanted: string, value: string) {
  const text = `--${option} must be ${wanted}: current value is "${value}"`;
  return usageError("run", text);
}

function parseTimeout(value: string | undefined): number {
  if (value === undefined) return 0;
  const seconds = /^\d+$/.test(value) ? Number(value) : 0;
  if (seconds >= 1 && seconds <= maximumTimeoutSeconds) return seconds;
  const wanted = `a whole number of seconds from 1 to ${maximumTimeoutSeconds}`;
  throw wrongValue("timeout", wanted, value);
}

/** In one spelling, each once: the result names them as they were sent. */
function parseOutputs(paths: readonly string[]): string[] {
  const spelled = paths.map((path) => {
    const plain = posix.normalize(path).replace(/\/+$/, "");
    if (path !== "" && plain !== "." && /^(?!\/|\.\.(\/|$))./.test(plain)) {
      return plain;
    }
    const wanted = "a path within the action's working directory";
    throw wrongValue("output", wanted, path);
  });
  return [...new Set(spelled)];
}

function parsePair(option: string, text: string): NameAndValue {
  const equals = text.indexOf("=");
  if (equals <= 0) throw wrongValue(option, "NAME=VALUE", text);
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}
