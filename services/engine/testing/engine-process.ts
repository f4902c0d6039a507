import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { servicePath } from "../../../lib/program/index.js";

const program = servicePath("engine");

/**
 * Starts the engine as a process that works in a directory; resolves with its
 * address when it serves. `more` holds further lines of its configuration.
 */
export async function startEngineProcess(
  directory: string,
  more = "",
): Promise<{ readonly child: ChildProcess; readonly address: string }> {
  const path = join(directory, "engine.yaml");
  await writeFile(
    path,
    `listen: [{ address: "127.0.0.1:0" }]
state: ${directory}/state
build: ${directory}/build
${more}`,
  );
  const child = spawn(process.execPath, [program, `--config=${path}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  for await (const data of child.stderr) {
    log += data;
    const address = /"addresses":\["([^"]+)"/.exec(log)?.[1];
    if (address !== undefined) return { child, address };
  }
  throw new RangeError(`The engine does not start: ${log}`);
}
