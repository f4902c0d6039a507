import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Installation } from "./installation-process.js";
import {
  type LocalSettings,
  localConfiguration,
  localPaths,
} from "./local-configuration.js";

/** A service that is ready to be started. */
export interface LocalService {
  /** For people. */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

/** The file in which Docker's clients keep credentials, if there is one. */
export function findDockerConfig(env: NodeJS.ProcessEnv): string | undefined {
  const path = join(env.HOME ?? "/", ".docker/config.json");
  return existsSync(path) ? path : undefined;
}

/**
 * Writes the services' files into the state folder; gives the services in the
 * order in which they start.
 */
export async function writeConfigurations(
  settings: LocalSettings,
  installation: Installation,
): Promise<LocalService[]> {
  const paths = localPaths(settings.state);
  // Actions and other users of the machine have no business in these.
  for (const folder of [paths.run, paths.configuration, paths.engineState]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  const { helper, ...values } = localConfiguration(settings, installation);
  await writeFile(join(paths.configuration, "exec.toml"), helper);
  const services: LocalService[] = [];
  for (const [name, key] of [
    ["root-fetcher", "rootFetcher"],
    ["router", "router"],
    ["engine", "engine"],
  ] as const) {
    const file = join(paths.configuration, `${name}.json`);
    await writeFile(file, `${JSON.stringify(values[key], undefined, 2)}\n`);
    const program = installation[key];
    services.push({
      name,
      command: [process.execPath, "--no-warnings", program, `--config=${file}`],
    });
  }
  return services;
}
