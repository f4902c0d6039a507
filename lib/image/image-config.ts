import { Code, StatusError } from "../status/index.js";
import { JsonObject } from "./json-object.js";
import { type OciDigest, parseOciDigest } from "./oci-digest.js";
import { normalisePlatform, type Platform } from "./platform.js";
import { quote } from "./quote.js";
import { parseStrictJson } from "./strict-json.js";

/** What an image says about running it (OCI image specification, config.md). */
export interface ImageConfig {
  readonly platform: Platform;
  /** Diff IDs: digests of the uncompressed layers, the lowest first. */
  readonly diffIds: readonly OciDigest[];
  /** In the image's order; a later entry of the same name counts. */
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `user[:group]`, names or numbers; "" if the image does not say. */
  readonly user: string;
  /** "" if the image does not say. */
  readonly workingDirectory: string;
}

/** Layers, or variables: as many as a manifest may have layers. */
const maximumDiffIds = 512;
const maximumStrings = 4096;

/**
 * Of all variables together. They go into every command of the image, and the
 * kernel takes no single one beyond this (MAX_ARG_STRLEN); images have 1 KiB.
 */
const maximumEnvBytes = 2 ** 17 - 1;

/**
 * Reads a config. Throws InvalidArgument for what is malformed,
 * ResourceExhausted above a limit.
 */
export function parseImageConfig(data: Uint8Array): ImageConfig {
  const object = JsonObject.of(
    parseStrictJson(data, "Image config"),
    "Image config",
    ["os", "architecture", "variant", "rootfs", "config"],
  );
  const run = JsonObject.of(object.get("config") ?? {}, '"config" of image', [
    "Env",
    "Entrypoint",
    "Cmd",
    "User",
    "WorkingDir",
  ]);
  return {
    platform: parseConfigPlatform(object),
    diffIds: parseDiffIds(object.get("rootfs")),
    env: parseEnv(run.strings("Env", maximumStrings)),
    entrypoint: run.strings("Entrypoint", maximumStrings).map(checkNoNul),
    cmd: run.strings("Cmd", maximumStrings).map(checkNoNul),
    user: checkNoNul(run.string("User") ?? ""),
    workingDirectory: checkNoNul(run.string("WorkingDir") ?? ""),
  };
}

function parseConfigPlatform(object: JsonObject): Platform {
  return normalisePlatform({
    // Both are required by the specification; the oldest tools left out os.
    os: object.string("os") || "linux",
    architecture: object.string("architecture") ?? "",
    variant: object.string("variant"),
  });
}

function parseDiffIds(value: unknown): readonly OciDigest[] {
  const rootfs = JsonObject.of(value, "rootfs of image config", [
    "type",
    "diff_ids",
  ]);
  if (rootfs.string("type") !== "layers") {
    throw new StatusError(
      Code.InvalidArgument,
      `"type" of rootfs of image config must be "layers": current value is ${quote(rootfs.get("type"))}`,
    );
  }
  return rootfs
    .list("diff_ids", maximumDiffIds)
    .map((id, index) => parseOciDigest(id, `Diff ID ${index} of image config`));
}

function parseEnv(variables: readonly string[]): ImageConfig["env"] {
  const bytes = variables.reduce((sum, v) => sum + Buffer.byteLength(v) + 1, 0);
  if (bytes > maximumEnvBytes) {
    throw new StatusError(
      Code.ResourceExhausted,
      `"Env" of image config must have at most ${maximumEnvBytes} bytes in all: current value has ${bytes}`,
    );
  }
  return variables.map(parseVariable);
}

function parseVariable(text: string): { name: string; value: string } {
  const equals = checkNoNul(text).indexOf("=");
  if (equals < 1) {
    throw new StatusError(
      Code.InvalidArgument,
      `"Env" of image config must consist of NAME=VALUE: current value is ${quote(text)}`,
    );
  }
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}

// The kernel would end the string there, and a check made on the whole of it
// would not hold for what is executed.
function checkNoNul(text: string): string {
  if (!text.includes("\0")) return text;
  throw new StatusError(
    Code.InvalidArgument,
    `Image config must not hold NUL characters: current value is ${quote(text)}`,
  );
}
