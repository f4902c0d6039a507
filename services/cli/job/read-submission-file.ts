import { createReadStream } from "node:fs";
import { Code, StatusError } from "../../../lib/status/index.js";
import { flagPathError } from "../flag-path-error.js";

/** More than any server takes (`bodySize` is 1 MiB, unless configured). */
const maximumBytes = 2 ** 26;

/**
 * The text of a file, or of standard input for "-". Throws FailedPrecondition
 * for what cannot be read, and InvalidArgument for what is too large or not
 * UTF-8.
 */
export async function readSubmission(
  path: string,
  stdin: AsyncIterable<Buffer | string>,
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of path === "-" ? stdin : createReadStream(path)) {
      const bytes = Buffer.from(chunk);
      size += bytes.length;
      if (size > maximumBytes) throw refuse(path, "is too large for a job");
      chunks.push(bytes);
    }
  } catch (error) {
    throw flagPathError(undefined, path, error);
  }
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    return decoder.decode(Buffer.concat(chunks));
  } catch {
    throw refuse(path, "is not UTF-8");
  }
}

function refuse(path: string, what: string): StatusError {
  return new StatusError(Code.InvalidArgument, `"${path}" ${what}`);
}
