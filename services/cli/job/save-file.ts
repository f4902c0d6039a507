import { open, rename, rm } from "node:fs/promises";
import { flagPathError } from "../flag-path-error.js";

/**
 * Writes a file that is there as a whole or not at all; one that is there is
 * replaced. Throws FailedPrecondition naming --output, and what reading throws.
 */
export async function saveFile(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  const partial = `${path}.${process.pid}.part`;
  const refused = (error: unknown) => {
    throw flagPathError("--output", path, error);
  };
  const file = await open(partial, "wx").catch(refused);
  try {
    try {
      for await (const chunk of bytes) await file.writeFile(chunk);
    } finally {
      await file.close();
    }
    await rename(partial, path).catch(refused);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
