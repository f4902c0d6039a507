import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
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

/** Makes a key that stays, so that what was authenticated with it counts. */
async function makeKey(path: string): Promise<void> {
  if (existsSync(path)) return;
  await writeFile(path, randomBytes(32), { mode: 0o600 });
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
  // What a spool holds is of use to one process only.
  await rm(paths.spool, { recursive: true, force: true });
  const { run, configuration, engineState, jobs, spool, secrets } = paths;
  const folders = [run, configuration, engineState, jobs, spool, secrets];
  for (const folder of folders) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  await makeKey(paths.recordKey);
  const { helper, ...values } = localConfiguration(settings, installation);
  await writeFile(join(paths.configuration, "exec.toml"), helper);
  const services: LocalService[] = [];
  for (const [name, key] of [
    ["root-fetcher", "rootFetcher"],
    ["router", "router"],
    ["engine", "engine"],
    ["workflow", "workflow"],
  ] as const) {
    const file = join(paths.configuration, `${name}.json`);
    if (name === "workflow" && settings.jobsListen === undefined) {
      await rm(file, { force: true }); // nobody shall look for it there
      continue;
    }
    await writeFile(file, `${JSON.stringify(values[key], undefined, 2)}\n`);
    const program = installation[key];
    services.push({
      name,
      command: [process.execPath, "--no-warnings", program, `--config=${file}`],
    });
  }
  return services;
}
