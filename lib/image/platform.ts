import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";

/**
 * Where an image runs, in the words of Go's GOOS and GOARCH, which OCI uses
 * (image-index.md, "platform").
 */
export interface Platform {
  /** Such as "linux". */
  readonly os: string;
  /** Such as "amd64" or "arm64". */
  readonly architecture: string;
  /** Such as "v7" of arm; undefined where it is the usual one. */
  readonly variant: string | undefined;
}

/** Words of REAPI's platform lexicon, of Bazel and of uname, as GOARCH. */
const architectures: Readonly<Record<string, string>> = {
  "x86-64": "amd64",
  x86_64: "amd64",
  "x86-32": "386",
  x86_32: "386",
  i386: "386",
  i686: "386",
  x86: "386",
  aarch64: "arm64",
  aarch32: "arm",
  "arm-a32": "arm",
  "arm-a64": "arm64",
  armhf: "arm",
  ppc: "ppc64le",
  powerpc64le: "ppc64le",
};

/** What an architecture's images are when they do not say their variant. */
const usualVariants: Readonly<Record<string, string>> = {
  amd64: "v1",
  arm64: "v8",
  arm: "v7",
};

/**
 * The same platform in one spelling: lower case, GOARCH's words, no variant
 * where it is the architecture's usual one.
 */
export function normalisePlatform(platform: Platform): Platform {
  const word = platform.architecture.toLowerCase();
  const named = /^arm(?:-|_)?(v[5-9])/.exec(word)?.[1];
  const isArm = named !== undefined && named !== "v8" && named !== "v9";
  const architecture =
    named === undefined
      ? (architectures[word] ?? word)
      : isArm
        ? "arm"
        : "arm64";
  const variant = platform.variant?.toLowerCase() || named;
  return {
    os: platform.os.toLowerCase(),
    architecture,
    variant: variant === usualVariants[architecture] ? undefined : variant,
  };
}

/**
 * Parses `os/architecture[/variant]`, as in configuration files. Throws
 * InvalidArgument.
 */
export function parsePlatform(text: string): Platform {
  const match = /^([\w.-]+)\/([\w.-]+)(?:\/([\w.-]+))?$/.exec(text);
  if (match === null) {
    throw new StatusError(
      Code.InvalidArgument,
      `Platform must be os/architecture[/variant], such as "linux/amd64": current value is ${quote(text)}`,
    );
  }
  const [, os = "", architecture = "", variant] = match;
  return normalisePlatform({ os, architecture, variant });
}

/** `os/architecture[/variant]`: equal for equal normalised platforms. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  const name = `${os}/${architecture}`;
  return variant === undefined ? name : `${name}/${variant}`;
}

/**
 * The platform that an action asks for by its platform properties `OSFamily`
 * and `ISA` (REAPI's platform lexicon) or `Arch` (older clients); what they
 * leave open comes from the default. `ISA` may come several times ("x86-64",
 * then extensions): the first that names an architecture counts.
 */
export function platformFromProperties(
  properties: readonly { readonly name: string; readonly value: string }[],
  defaultPlatform: Platform,
): Platform {
  const value = (name: string) =>
    properties.find((property) => property.name === name)?.value;
  const os = value("OSFamily") ?? defaultPlatform.os;
  const isas = properties
    .filter(({ name }) => name === "ISA" || name === "Arch")
    .map((property) =>
      normalisePlatform({
        os,
        architecture: property.value,
        variant: undefined,
      }),
    );
  const known = new Set([...Object.values(architectures), "riscv64", "s390x"]);
  const asked =
    isas.find(({ architecture }) => known.has(architecture)) ?? isas[0];
  return asked ?? normalisePlatform({ ...defaultPlatform, os });
}
