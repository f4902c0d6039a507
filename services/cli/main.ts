import { readFileSync } from "node:fs";
import { type ProgramContext, runProgram } from "../../lib/program/index.js";
import { Code, StatusError } from "../../lib/status/index.js";
import type { Command } from "./command.js";
import { doctorCommand } from "./commands/doctor.js";
import { imageCommand } from "./commands/image.js";
import { jobCommand } from "./commands/job.js";
import { runCommand } from "./commands/run.js";
import { upCommand } from "./commands/up.js";

const commands: ReadonlyMap<string, Command> = new Map([
  ["up", upCommand],
  ["run", runCommand],
  ["job", jobCommand],
  ["image", imageCommand],
  ["doctor", doctorCommand],
]);

const overview = [
  "berth gives every remote-execution action the container it asks for.",
  "",
  "usage: berth COMMAND [OPTION…]",
  "",
  ...[...commands].map(
    ([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`,
  ),
  "  help     show this, or the help of a command",
  "  version  show which berth this is",
].join("\n");

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

async function dispatch(context: ProgramContext): Promise<number> {
  const [name = "help", ...args] = context.argv;
  if (["help", "--help", "-h"].includes(name)) {
    const [about] = args;
    const isOverview = about === undefined || about.startsWith("-");
    return print(isOverview ? overview : find(about).help);
  }
  if (["version", "--version", "-V"].includes(name)) {
    return print(`berth ${readVersion()}`);
  }
  const command = find(name);
  const own = args.slice(
    0,
    args.includes("--") ? args.indexOf("--") : undefined,
  );
  if (own.includes("--help") || own.includes("-h")) return print(command.help);
  return command.run(args, context);
}

/** As package.json says, two folders above the compiled services. */
function readVersion(): string {
  const file = new URL("../../../package.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}

function find(name: string): Command {
  const command = commands.get(name);
  if (command !== undefined) return command;
  throw new StatusError(
    Code.InvalidArgument,
    `There is no command "${name}": see "berth help"`,
  );
}

await runProgram("berth", dispatch);
