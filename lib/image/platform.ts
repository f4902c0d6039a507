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
const architectures: ReadonlyMap<string, string> = new Map(
  Object.entries({
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
    powerpc64le: "ppc64le",
  }),
);

/** What GOARCH says that clients may ask for. */
const knownArchitectures: ReadonlySet<string> = new Set([
  ...architectures.values(),
  ...["riscv64", "s390x"],
]);

/** What an architecture's images are when they do not say their variant. */
const usualVariants: ReadonlyMap<string, string> = new Map(
  Object.entries({
    amd64: "v1",
    arm64: "v8",
    arm: "v7",
  }),
);

/**
 * The same platform in one spelling: lower case, GOARCH's words, no variant
 * where it is the architecture's usual one. Throws InvalidArgument for words
 * that could not stand in a line of text or a key: they come from clients and
 * registries.
 */
export function normalisePlatform(platform: Platform): Platform {
  for (const word of Object.values(platform)) checkWord(word);
  const word = platform.architecture.toLowerCase();
  const spelled = splitArchitecture(word);
  const architecture = architectures.get(spelled.name) ?? spelled.name;
  const variant = platform.variant?.toLowerCase() || spelled.variant;
  return {
    os: platform.os.toLowerCase(),
    architecture,
    variant: variant === usualVariants.get(architecture) ? undefined : variant,
  };
}

function checkWord(word: string | undefined): void {
  if (word === undefined || /^[\w.+-]{0,64}$/.test(word)) return;
  throw new StatusError(
    Code.InvalidArgument,
    `Platform must consist of short words of letters, digits, ".", "+", "-" and "_": current value is ${quote(word)}`,
  );
}

/**
 * The number of an architecture's variant, the usual one's if none is named;
 * NaN if it has no number. Higher ones run what lower ones run.
 */
export function variantNumberOf(platform: Platform): number {
  const { architecture, variant } = platform;
  const name = variant ?? usualVariants.get(architecture) ?? "";
  return Number(/^v([1-9])$/.exec(name)?.[1] ?? Number.NaN);
}

/** Words such as "armv6" and "x86-64-v3" hold the variant too. */
function splitArchitecture(word: string): {
  name: string;
  variant: string | undefined;
} {
  const match = /^(arm|x86[-_]64)[-_]?(v[1-9])$/.exec(word);
  if (match === null) return { name: word, variant: undefined };
  const [, name = "", variant = ""] = match;
  const is64Bit = name === "arm" && variant >= "v8";
  return { name: is64Bit ? "arm64" : name, variant };
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
  const asked =
    isas.find(({ architecture }) => knownArchitectures.has(architecture)) ??
    isas[0];
  return asked ?? normalisePlatform({ ...defaultPlatform, os });
}
