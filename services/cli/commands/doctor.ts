import { resolve } from "node:path";
import type { ProgramContext } from "../../../lib/program/index.js";
import type { Command } from "../command.js";
import { checkHelper } from "../doctor/check-helper-process.js";
import { checkRunning } from "../doctor/check-running-process.js";
import { checkStateFolder } from "../doctor/check-state-directory.js";
import type { Finding } from "../doctor/finding.js";
import { parseOptions, refuseArguments } from "../parse-options.js";
import { chooseStateFolder } from "../up/state-folder.js";

const help = `usage: berth doctor [--state FOLDER]

Looks at what berth needs on this machine: that it is built, what the kernel
permits berth-exec to do (berth-exec --check), the state folder, free space,
and whether "berth up" runs and its services answer. Says for each thing that
is missing what to do. Exits with 1 if actions cannot run here.

  --state FOLDER   folder of "berth up"`;

/** `berth doctor`: what is missing on this machine. */
export const doctorCommand: Command = {
  help,
  run,
};

async function run(
  args: readonly string[],
  { env }: ProgramContext,
): Promise<number> {
  const parsed = parseOptions("doctor", args, {
    state: { type: "string" },
  } as const);
  refuseArguments("doctor", parsed);
  const state = resolve(chooseStateFolder("doctor", parsed.values.state, env));
  const findings: Finding[] = [
    { result: "ok", text: `Node.js ${process.versions.node}` },
    ...checkHelper(),
    ...checkStateFolder(state),
    ...(await checkRunning(state)),
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
