import { resolve } from "node:path";
import { sizeBytes } from "../../../lib/configuration/index.js";
import { parseOptions, refuseArguments, usageError } from "../parse-options.js";
import { parseRegistryFlags, registryOptionTable } from "../registry-flags.js";
import type { LocalSettings } from "./local-configuration.js";
import { chooseStateFolder } from "./state-folder.js";
import { findDockerConfig } from "./write-configuration-files.js";

const optionTable = {
  state: { type: "string" },
  listen: { type: "string", default: "127.0.0.1:8980" },
  "jobs-listen": { type: "string", default: "127.0.0.1:3000" },
  jobs: { type: "string" },
  "cache-size": { type: "string", default: "20GiB" },
  "roots-size": { type: "string", default: "50GiB" },
  mode: { type: "string", default: "bind_mount" },
  source: { type: "string" },
  tags: { type: "string", default: "reject" },
  "no-image": { type: "string", default: "sandbox" },
  network: { type: "string", default: "host" },
  ...registryOptionTable,
  verbose: { type: "boolean", default: false },
} as const;

/** As the engine's configuration has it. */
const maximumJobs = 1_024;

/** Less holds no action at all: its command and inputs lie there, too. */
const minimumSizeBytes = 2 ** 20;

/**
 * Parses the arguments of `berth up`. Every value is checked here, so that an
 * error names the flag, and not a file that was made of it; throws
 * InvalidArgument.
 */
export function parseUpSettings(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): LocalSettings {
  const parsed = parseOptions("up", args, optionTable);
  refuseArguments("up", parsed);
  const { values } = parsed;
  const dockerConfig = values["docker-config"];
  const mode = oneOf("mode", values.mode, ["bind_mount", "inline"]);
  const isInline = mode === "inline";
  return {
    state: resolve(chooseStateFolder("up", values.state, env)),
    listen: checkListen(values.listen),
    jobsListen: parseJobsListen(values["jobs-listen"]),
    isRoot: process.getuid?.() === 0,
    jobs: parseJobs(values.jobs),
    cacheSize: checkSize("cache-size", values["cache-size"]),
    rootsSize: checkSize("roots-size", values["roots-size"]),
    mode,
    source: oneOf(
      "source",
      values.source ?? (isInline ? "cas" : "registry"),
      isInline ? ["cas"] : ["registry", "cas"],
    ),
    tags: oneOf("tags", values.tags, ["reject", "resolve"]),
    noImage: oneOf("no-image", values["no-image"], [
      "sandbox",
      "pass",
      "reject",
    ]),
    network: oneOf("network", values.network, ["host", "none"]),
    ...parseRegistryFlags("up", values),
    dockerConfig:
      // The services have it in their files, wherever they are started.
      dockerConfig === undefined
        ? findDockerConfig(env)
        : resolve(dockerConfig),
    logLevel: values.verbose ? "debug" : "info",
  };
}

function wrongValue(option: string, wanted: string, value: string) {
  return usageError(
    "up",
    `--${option} must be ${wanted}: current value is "${value}"`,
  );
}

function oneOf<Value extends string>(
  option: string,
  value: string,
  allowed: readonly Value[],
): Value {
  const found = allowed.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw wrongValue(option, `one of ${allowed.join(", ")}`, value);
}

function checkListen(value: string): string {
  if (isTcpAddress(value) || /^unix:\/./.test(value)) return value;
  const wanted = 'an address such as "127.0.0.1:8980", or "unix:/path"';
  throw wrongValue("listen", wanted, value);
}

/** Port 3000 is that of Dray, whose API is served there. */
function parseJobsListen(value: string): string | undefined {
  if (value === "off") return undefined;
  if (isTcpAddress(value)) return value;
  const wanted = 'an address such as "127.0.0.1:3000", or "off"';
  throw wrongValue("jobs-listen", wanted, value);
}

function isTcpAddress(value: string): boolean {
  const port = /^(?:\[[0-9A-Fa-f:]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(value)?.[1];
  return port !== undefined && Number(port) > 0 && Number(port) < 65_536;
}

function parseJobs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const jobs = /^\d+$/.test(value) ? Number(value) : 0;
  if (jobs >= 1 && jobs <= maximumJobs) return jobs;
  throw wrongValue("jobs", `a number from 1 to ${maximumJobs}`, value);
}

function checkSize(option: string, value: string): string {
  const { data } = sizeBytes().safeParse(value);
  if (data !== undefined && data >= minimumSizeBytes) return value;
  throw wrongValue(option, 'a size such as "10GiB", and 1MiB at least', value);
}
