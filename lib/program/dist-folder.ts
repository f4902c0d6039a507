import { join } from "node:path";
import { fileURLToPath } from "node:url";

const { url } = import.meta;

/**
 * Absolute path of `dist`, which has everything that is compiled. Code runs
 * from its own place in there, or from `dist/programs`, put together with what
 * it imports: so files that are no code are found from here.
 */
export const distFolder: string = fileURLToPath(
  url.slice(0, url.lastIndexOf("/dist/") + "/dist".length),
);

/** Absolute path of one of berth's services, for Node to run. */
export function servicePath(
  name: "engine" | "router" | "root-fetcher" | "workflow",
): string {
  return join(distFolder, "programs", `${name}.js`);
}
