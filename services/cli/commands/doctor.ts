import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import type { ProgramContext } from "../../../lib/program/index.js";
import { toStatusError } from "../../../lib/status/index.js";
import type { Command } from "../command.js";
import { parseOptions } from "../parse-options.js";
import { findInstallation } from "../up/installation-process.js";
import { defaultStateFolder } from "../up/state-folder.js";

/** Free space below which an image of usual size may not fit, in bytes. */
const comfortableFreeBytes = 5 * 2 ** 30;

const help = `usage: berth doctor [--state FOLDER]

Looks at what berth needs on this machine: that it is built, what the kernel
permits berth-exec to do (berth-exec --check), the state folder, free space,
and whether "berth up" runs. Says for each thing that is missing what to do.
Exits with 1 if actions cannot run here.

  --state FOLDER   folder of "berth up"`;

/** One thing that was looked at. */
interface Finding {
  /** "ok", "note" for what is merely good to know, "fail". */
  readonly result: "ok" | "note" | "fail";
  readonly text: string;
}

/** `berth doctor`: what is missing on this machine. */
export const doctorCommand: Command = {
  summary: "look at what berth needs on this machine",
  help,
  run,
};

async function run(
  args: readonly string[],
  { env }: ProgramContext,
): Promise<number> {
  const { values } = parseOptions("doctor", args, {
    state: { type: "string" },
  } as const);
  const state = values.state ?? defaultStateFolder(env);
  const findings = [
    checkNode(),
    ...checkInstallation(),
    checkStateFolder(state),
    checkFreeSpace(state),
    await checkRunning(join(state, "run/root-fetcher.sock")),
  ];
  for (const { result, text } of findings) {
    process.stdout.write(`${result.padEnd(4)}  ${text}\n`);
  }
  const failed = findings.some(({ result }) => result === "fail");
  process.stdout.write(
    failed ? "\nActions cannot run here yet.\n" : "\nActions can run here.\n",
  );
  return failed ? 1 : 0;
}

function checkNode(): Finding {
  const { node } = process.versions;
  return { result: "ok", text: `Node.js ${node}` };
}

function checkInstallation(): Finding[] {
  try {
    const { helper } = findInstallation();
    return [
      { result: "ok", text: "services and berth-exec are built" },
      ...checkHelper(helper),
    ];
  } catch (error) {
    return [{ result: "fail", text: toStatusError(error).message }];
  }
}

/** What `berth-exec --check` says, line by line. */
function checkHelper(helper: string): Finding[] {
  const { status, stdout, stderr } = spawnSync(helper, ["--check"], {
    encoding: "utf8",
  });
  const lines = `${stdout ?? ""}${stderr ?? ""}`.trimEnd().split("\n");
  return [
    {
      result: status === 0 ? "ok" : "fail",
      text:
        status === 0
          ? "berth-exec --check: the kernel permits the sandbox"
          : "berth-exec --check: the kernel refuses what the sandbox needs",
    },
    ...lines.map((text): Finding => ({ result: "note", text: `  ${text}` })),
  ];
}

function checkStateFolder(state: string): Finding {
  let folder = state;
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
    return { result: "ok", text: `state folder "${state}" can be written` };
  } catch {
    return {
      result: "fail",
      text: `"${folder}" cannot be written: choose another folder by --state`,
    };
  }
}

function checkFreeSpace(state: string): Finding {
  let folder = state;
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const text = `${(free / 2 ** 30).toFixed(1)} GiB free at "${folder}"`;
  return free >= comfortableFreeBytes
    ? { result: "ok", text }
    : { result: "note", text: `${text}: large images may not fit` };
}

function checkRunning(socketPath: string): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve({ result: "ok", text: '"berth up" runs' });
    });
    socket.once("error", () =>
      resolve({
        result: "note",
        text: '"berth up" does not run: start it before "berth run"',
      }),
    );
  });
}
