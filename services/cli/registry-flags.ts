import { parseRegistryHost } from "../../lib/image/index.js";
import { toStatusError } from "../../lib/status/index.js";
import { type OptionTable, usageError } from "./parse-options.js";

/** What a command was told of registries; all that read any take the same. */
export interface RegistryFlags {
  /** Registries that may have addresses in private networks. */
  readonly registries: readonly string[];
  /** Like registries, and spoken to in plain HTTP; loopback is in any case. */
  readonly plainRegistries: readonly string[];
  /** Registries that are asked before another, in this order. */
  readonly mirrors: readonly { readonly of: string; readonly mirror: string }[];
  /** File like ~/.docker/config.json, if one was named. */
  readonly dockerConfig?: string | undefined;
}

/** The flags, for parseOptions(). */
export const registryOptionTable = {
  registry: { type: "string", multiple: true, default: [] as string[] },
  "plain-http": { type: "string", multiple: true, default: [] as string[] },
  mirror: { type: "string", multiple: true, default: [] as string[] },
  "docker-config": { type: "string" },
} as const satisfies OptionTable;

/** Their help, in the columns of all commands' help. */
export const registryHelp = `  --registry HOST        a registry in a private network; may be repeated
  --plain-http HOST      the same, without TLS; those on loopback need neither
  --mirror HOST=MIRROR   a registry that is asked before another one, such as
                         docker.io=cache.example:5000; may be repeated
  --docker-config FILE   registry credentials (~/.docker/config.json)`;

/** Checks what was given; throws InvalidArgument by the flag's name. */
export function parseRegistryFlags(
  command: string,
  values: {
    readonly registry: readonly string[];
    readonly "plain-http": readonly string[];
    readonly mirror: readonly string[];
    readonly "docker-config"?: string | undefined;
  },
): RegistryFlags {
  /** Gives the host as the services know it. */
  const check = (flag: string, host: string): string => {
    try {
      return parseRegistryHost(host);
    } catch (error) {
      const { message } = toStatusError(error);
      throw usageError(command, `--${flag} is wrong: ${message}`);
    }
  };
  return {
    registries: values.registry.map((host) => check("registry", host)),
    plainRegistries: values["plain-http"].map((host) =>
      check("plain-http", host),
    ),
    mirrors: values.mirror.map((value) => {
      const [of = "", mirror, ...more] = value.split("=");
      if (mirror === undefined || more.length > 0) {
        const text = `--mirror must be HOST=MIRROR: current value is "${value}"`;
        throw usageError(command, text);
      }
      return { of: check("mirror", of), mirror: check("mirror", mirror) };
    }),
    dockerConfig: values["docker-config"],
  };
}

/** Each host that was named, once, however it was written, as lib/registry has it. */
export function registryEntries({
  registries,
  plainRegistries,
  mirrors,
}: RegistryFlags): Record<
  string,
  { readonly plainHttp?: true; readonly mirrors?: string[] }
> {
  const plain = new Set(plainRegistries.map(parseRegistryHost));
  const hosts = [...registries, ...plain, ...mirrors.map(({ of }) => of)];
  const names = new Set(hosts.map(parseRegistryHost));
  return Object.fromEntries(
    [...names].map((host) => {
      const own = mirrors.filter(({ of }) => of === host);
      const entry = {
        ...(plain.has(host) && { plainHttp: true as const }),
        ...(own.length > 0 && { mirrors: own.map(({ mirror }) => mirror) }),
      };
      return [host, entry];
    }),
  );
}
