import { invalidProperty } from "./property-value.js";
import { normaliseRelativePath } from "./relative-path.js";
import type { StepWish } from "./step-wish.js";

/** Reads `berth-stdin=<input path>`. Throws InvalidArgument. */
export function readStdin(name: string, value: string): StepWish {
  return { flag: "stdin", value: inputPath(name, value, value).join("/") };
}

/** Reads `berth-workdir=</path in root>`. Throws InvalidArgument. */
export function readWorkdir(name: string, value: string): StepWish {
  return { flag: "workdir", value: `/${rootPath(name, value, value)}` };
}

/** What is the sandbox's own in every root. */
const provided = new Set(["proc", "sys", "dev"]);

/**
 * Reads `berth-place=<input path>:</path in root>`, which the first colon
 * divides. Throws InvalidArgument.
 */
export function readPlace(name: string, value: string): StepWish {
  const colon = value.indexOf(":");
  if (colon < 0) {
    throw invalidProperty(name, value, 'be "input path:/path in root"');
  }
  const input = inputPath(name, value, value.slice(0, colon)).join("/");
  const path = rootPath(name, value, value.slice(colon + 1));
  if (provided.has(path.split("/")[0] ?? "")) {
    throw invalidProperty(name, value, "leave /proc, /sys and /dev alone");
  }
  return { flag: "place", value: `${input}:/${belowRoot(name, value, path)}` };
}

/**
 * Reads `berth-collect=</path in root>:<output path>`, which the last colon
 * divides; a slash before it says that a directory is collected. Throws
 * InvalidArgument.
 */
export function readCollect(name: string, value: string): StepWish {
  const colon = value.lastIndexOf(":");
  if (colon < 0) {
    throw invalidProperty(name, value, 'be "/path in root:output path"');
  }
  const from = value.slice(0, colon);
  const path = belowRoot(name, value, rootPath(name, value, from));
  const slash = from.endsWith("/") ? "/" : "";
  const output = inputPath(name, value, value.slice(colon + 1));
  return {
    flag: "collect",
    value: `/${path}${slash}:${output.join("/")}`,
    output,
  };
}

/** Reads `berth-secret=<VARIABLE>:<name>`. Throws InvalidArgument. */
export function readSecret(name: string, value: string): StepWish {
  const match = /^[A-Za-z_]\w*:([\w-][\w.-]{0,254})$/.exec(value);
  const secret = match?.[1];
  if (secret !== undefined) return { flag: "secret", value, secret };
  throw invalidProperty(
    name,
    value,
    'be "VARIABLE:name", the name of letters, digits, ".", "_" and "-" and without a dot in front',
  );
}

/** Components of a path that is relative to the input root. */
function inputPath(
  name: string,
  value: string,
  path: string,
): readonly string[] {
  const what = `Path in platform property "${name}"`;
  const components = normaliseRelativePath(path, what);
  if (components.length === 0) {
    throw invalidProperty(name, value, "name something in the input root");
  }
  if (path.includes(":")) {
    throw invalidProperty(name, value, "not hold a colon in that path");
  }
  return components;
}

/** A path in the root in one spelling, without the slash before it. */
function rootPath(name: string, value: string, path: string): string {
  const components = path
    .split("/")
    .filter((component) => component !== "" && component !== ".");
  if (
    path.startsWith("/") &&
    !path.includes("\0") &&
    !components.includes("..")
  ) {
    return components.join("/");
  }
  throw invalidProperty(
    name,
    value,
    'name an absolute path without ".." and NUL in the root',
  );
}

function belowRoot(name: string, value: string, path: string): string {
  if (path !== "") return path;
  throw invalidProperty(name, value, "name a path below the root");
}
