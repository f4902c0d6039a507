import { join } from "node:path";
import { usageError } from "../parse-options.js";

/**
 * Where `berth up` keeps everything, unless --state says it: /var/lib/berth
 * for root, else beneath XDG_STATE_HOME or ~/.local/state (XDG Base Directory
 * Specification). Throws InvalidArgument for an empty --state: the folder that
 * one happens to stand in is not meant by that.
 */
export function chooseStateFolder(
  command: string,
  state: string | undefined,
  env: NodeJS.ProcessEnv,
): string {
  if (state === "") throw usageError(command, "--state must name a folder");
  if (state !== undefined) return state;
  if (process.getuid?.() === 0) return "/var/lib/berth";
  const home = env.XDG_STATE_HOME ?? join(env.HOME ?? "/", ".local/state");
  return join(home, "berth");
}
