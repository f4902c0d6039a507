import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { errno, wrap } from "../../../lib/status/index.js";
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
  const made = (await isSpecial(path)) ? path : `${path}.${randomUUID()}`;
  try {
    const handle = await open(made, made === path ? "w" : "wx", 0o666);
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

async function isSpecial(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isFile();
  } catch (error) {
    if (errno(error) === "ENOENT") return false;
    throw error;
  }
}
