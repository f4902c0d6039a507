import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Gives a folder for files in passing, beneath another that is made if need
 * be, and removes it afterwards.
 */
export async function withSpoolDirectory<Result>(
  parent: string,
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(parent, "spool-"));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
