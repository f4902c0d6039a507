import { readFileSync } from "node:fs";
import { Code, StatusError } from "../../lib/status/index.js";
import { flagPathError } from "./flag-path-error.js";

/**
 * Refuses a file of credentials that could not be used later, when nobody
 * looks any more: throws FailedPrecondition when it cannot be read or is no
 * JSON object, without quoting anything of it.
 */
export function checkDockerConfigFile(path: string | undefined): void {
  if (path === undefined) return;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw flagPathError("--docker-config", path, error);
  }
  if (isObject(text)) return;
  throw new StatusError(
    Code.FailedPrecondition,
    `"${path}" is no JSON object, as Docker's config.json is one: mend it, or choose another file by --docker-config`,
  );
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false; // the parser's error would quote the file
  }
}
