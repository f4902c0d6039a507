import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { errno, wrap } from "../../../lib/status/index.js";
import { flagPathError } from "../flag-path-error.js";
import { createOutput, type Output } from "./output.js";

/**
 * Gives an output that becomes the file when all was written: until then it
 * is another file beside it, which is removed on a failure. What exists and is
 * no regular file, such as a pipe, is written as it is.
 */
export async function withTarFile<Result>(
  path: string,
  write: (output: Output) => Promise<Result>,
): Promise<Result> {
  const { made, handle } = await openFile(path);
  try {
    const stream = createWriteStream("", { fd: handle });
    let result: Result;
    try {
      result = await write(createOutput(stream));
      stream.end();
      await finished(stream);
    } finally {
      stream.destroy();
    }
    if (made !== path) await rename(made, path);
    return result;
  } catch (error) {
    if (made !== path) await rm(made, { force: true });
    throw wrap(error, `Failed to write "${path}"`);
  }
}

async function openFile(
  path: string,
): Promise<{ readonly made: string; readonly handle: FileHandle }> {
  try {
    const special = await isSpecial(path);
    const made = special ? path : `${path}.${randomUUID()}`;
    return { made, handle: await open(made, special ? "w" : "wx", 0o666) };
  } catch (error) {
    // By the name that was given, not by that beside it.
    throw flagPathError(undefined, path, error);
  }
}

async function isSpecial(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isFile();
  } catch (error) {
    if (errno(error) === "ENOENT") return false;
    throw error;
  }
}
