import { readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Code, errno, StatusError } from "../../../lib/status/index.js";
import { flagPathError } from "../flag-path-error.js";

/**
 * Whether a tree can be exported to a path, before anything is fetched for it:
 * a folder that is new or empty, or the file of an archive (".tar", or
 * something that is no regular file, such as a pipe). Throws
 * FailedPrecondition. What happens to the path later, the export itself finds.
 */
export async function checkExportTarget(path: string): Promise<void> {
  const above = dirname(path);
  if (!(await isDirectory(path)) && !(await isDirectory(above))) {
    throw refusal(`There is no folder "${above}" for "${path}": make it first`);
  }
  if (!path.endsWith(".tar")) await checkNewOrEmpty(path);
  else if (await isDirectory(path)) {
    throw refusal(`"${path}" is a folder where a file is meant`);
  }
}

/** Throws FailedPrecondition for what is there and is no empty folder. */
export async function checkNewOrEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errno(error) === "ENOENT") return [];
    if (errno(error) !== "ENOTDIR") {
      throw flagPathError(undefined, folder, error);
    }
    throw refusal(
      `"${folder}" is no folder: an archive's name must end with ".tar", or be "-"`,
    );
  });
  if (names.length === 0) return;
  throw refusal(
    `Folder "${folder}" must be new or empty: it holds ${JSON.stringify(names[0])}`,
  );
}

function refusal(text: string): StatusError {
  return new StatusError(Code.FailedPrecondition, text);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // whatever else it is, or may not be told
  }
}
