import { Code, StatusError } from "../status/index.js";

/**
 * Checks the name of a file, directory or symlink in a Directory: one path
 * component, at most 255 bytes. Throws InvalidArgument.
 */
export function checkNodeName(name: string): void {
  const bad =
    name === "" ||
    name === "." ||
    name === ".." ||
    name.includes("/") ||
    name.includes("\0") ||
    // A name of 85 characters has at most 255 bytes; only count when it may not.
    (name.length > 85 && Buffer.byteLength(name) > 255);
  if (!bad) return;
  throw new StatusError(
    Code.InvalidArgument,
    `Name in a Directory must be one path component: current value is ${JSON.stringify(name.slice(0, 80))}`,
  );
}

/**
 * The order of names in a canonical Directory: by their UTF-8 bytes (REAPI,
 * Directory), which differs from JavaScript's where there are surrogates.
 */
export function compareNames(a: string, b: string): number {
  if (surrogate.test(a) || surrogate.test(b)) {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

const surrogate = /[\ud800-\udfff]/;
