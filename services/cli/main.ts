import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  distFolder,
  type ProgramContext,
  runProgram,
} from "../../lib/program/index.js";
import { Code, StatusError } from "../../lib/status/index.js";
import type { Command } from "./command.js";

/** A command, as the list shows it. */
interface ListedCommand {
  readonly name: string;
  readonly summary: string;
  /** Reads its module, which takes many times as long as to show a text. */
  load(): Promise<Command>;
}

const commands: readonly ListedCommand[] = [
  {
    name: "up",
    summary: "run engine, router, root fetcher and jobs on this machine",
    load: async () => (await import("./commands/up.js")).upCommand,
  },
  {
    name: "run",
    summary: "run one command in an image",
    load: async () => (await import("./commands/run.js")).runCommand,
  },
  {
    name: "job",
    summary: "submit, follow and manage jobs of several containers",
    load: async () => (await import("./commands/job.js")).jobCommand,
  },
  {
    name: "image",
    summary: "import, list, compare and export images in CAS",
    load: async () => (await import("./commands/image.js")).imageCommand,
  },
  {
    name: "doctor",
    summary: "look at what berth needs on this machine",
    load: async () => (await import("./commands/doctor.js")).doctorCommand,
  },
];

const overview = [
  "berth gives every remote-execution action the container it asks for.",
  "",
  "usage: berth COMMAND [OPTION…]",
  "",
  ...commands.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`),
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
    return print(isOverview ? overview : (await find(about)).help);
  }
  if (["version", "--version", "-V"].includes(name)) {
    return print(`berth ${readVersion()}`);
  }
  const command = await find(name);
  const own = args.slice(
    0,
    args.includes("--") ? args.indexOf("--") : undefined,
  );
  if (own.includes("--help") || own.includes("-h")) return print(command.help);
  return command.run(args, context);
}

/** As package.json says. */
function readVersion(): string {
  const file = join(distFolder, "../package.json");
  return JSON.parse(readFileSync(file, "utf8")).version;
}

async function find(name: string): Promise<Command> {
  const listed = commands.find((command) => command.name === name);
  if (listed !== undefined) return listed.load();
  throw new StatusError(
    Code.InvalidArgument,
    `There is no command "${name}": see "berth help"`,
  );
}

await runProgram("berth", dispatch);
