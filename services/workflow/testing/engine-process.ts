import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { servicePath } from "../../../lib/program/index.js";

const program = servicePath("engine");

/** An engine in a process of its own. */
export interface EngineProcess {
  /** "host:port". */
  readonly address: string;
  /** Ends it at once. */
  kill(): Promise<void>;
}

/** Properties of jobs' actions; without a router the engine takes them. */
const properties = [
  "container-image",
  "network",
  "berth-user",
  "berth-workdir",
  "berth-stdin",
  "berth-collect",
  "berth-place",
];

/**
 * Starts an engine that runs every action as it is, on this machine and not
 * in its image: what drives jobs is tested without what runs them.
 */
export async function startEngineProcess(
  folder: string,
  port = 0,
): Promise<EngineProcess> {
  const path = join(folder, "engine.json");
  const configuration = {
    listen: [{ address: `127.0.0.1:${port}` }],
    state: join(folder, "engine"),
    build: join(folder, "build"),
    platform: Object.fromEntries(properties.map((name) => [name, "*"])),
    abandonAfter: "60s",
    // What an action leaves is ended by its user: other engines of this
    // machine have others.
    users: { firstAction: 200_000 + (process.pid % 10_000) * 100 },
  };
  await writeFile(path, JSON.stringify(configuration));
  const child = spawn(process.execPath, [program, `--config=${path}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const address = await addressOf(child);
  child.stderr.resume(); // it must never wait for a reader
  return {
    address,
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  let log = "";
  for await (const data of child.stderr?.iterator({ destroyOnReturn: false }) ??
    []) {
    log += data;
    const address = /"addresses":\["([^"]+)"/.exec(log)?.[1];
    if (address !== undefined) return address;
  }
  throw new RangeError(`The engine does not start: ${log}`);
}
