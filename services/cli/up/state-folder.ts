import { join } from "node:path";

/**
 * Where `berth up` keeps everything: /var/lib/berth for root, else beneath
 * XDG_STATE_HOME or ~/.local/state (XDG Base Directory Specification).
 */
export function defaultStateFolder(env: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return "/var/lib/berth";
  const home = env.XDG_STATE_HOME ?? join(env.HOME ?? "/", ".local/state");
  return join(home, "berth");
}
