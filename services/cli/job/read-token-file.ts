import { readFile } from "node:fs/promises";
import { flagPathError } from "../flag-path-error.js";
import { parseToken } from "./job-settings.js";

/**
 * The token of --token-file, BERTH_TOKEN_FILE or BERTH_TOKEN, in this order;
 * undefined if there is none. It is no flag itself: others on the machine see
 * those. Throws FailedPrecondition for a file that cannot be read, and
 * InvalidArgument for one without a token.
 */
export async function readToken(
  flag: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const path = flag ?? (env.BERTH_TOKEN_FILE || undefined);
  if (path !== undefined) {
    const name = flag === undefined ? "BERTH_TOKEN_FILE" : "--token-file";
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      throw flagPathError(name, path, error);
    });
    return parseToken(text, `"${path}"`);
  }
  const token = env.BERTH_TOKEN || undefined;
  return token === undefined ? undefined : parseToken(token, "BERTH_TOKEN");
}
