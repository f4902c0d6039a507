import { readFile } from "node:fs/promises";
import { wrap } from "../../lib/status/index.js";

/** Reads a key; throws what the disk says. */
export async function readKeyFile(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    throw wrap(error, `Failed to read key "${path}"`);
  });
}
