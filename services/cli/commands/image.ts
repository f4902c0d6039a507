import type { ProgramContext } from "../../../lib/program/index.js";
import { codeName, toStatusError } from "../../../lib/status/index.js";
import { checkDockerConfigFile } from "../check-docker-config-file.js";
import type { Command } from "../command.js";
import type { ImageCommand } from "../image/image-command.js";
import { parseImageSettings } from "../image/image-settings.js";
import { openCas } from "../image/open-cas.js";
import { createOutput, OutputClosedError } from "../image/output.js";
import { runDiff } from "../image/run-diff.js";
import { runExport } from "../image/run-export.js";
import { runImport } from "../image/run-import.js";
import { runList } from "../image/run-list.js";
import { usageError } from "../parse-options.js";
import { registryHelp } from "../registry-flags.js";

/** Exit status of all trouble, since diff has 1 for different trees. */
const exitTrouble = 2;

/** Exit status when the reader of the output left, as of SIGPIPE. */
const exitOutputClosed = 141;

const help = `usage: berth image import [OPTION…] IMAGE
       berth image ls [OPTION…] IMAGE [PATH]
       berth image diff [OPTION…] IMAGE IMAGE
       berth image export [OPTION…] IMAGE FOLDER|FILE.tar|-

Works with images as trees in CAS. IMAGE is one in a registry, by digest or
tag; oci:/path[:tag], a layout on disk; or cas://HASH/SIZE, a tree in CAS. An
image that CAS does not have is imported first.

  import   bring an image into CAS; say its digest, its tree's name, what it
           holds, what was new in CAS, and what CAS cannot say and was dropped
  ls       list a directory of an image, links followed within it
  diff     say what was added (A), deleted (D) and modified (M); the exit status
           is 0 for equal trees, 1 for different ones, 2 for trouble
  export   write the files to a folder that is new or empty, or as an archive
           that is the same each time, "-" to standard output

  -R, --recursive        ls: all beneath the directory
  --json                 for programs: one JSON value a line
  --cas ADDRESS          another CAS than that of the running "berth up"
  --instance NAME        instance name ("")
  --platform OS/ARCH     entry of a multi-platform image (this machine's)
${registryHelp}
  --state FOLDER         folder of "berth up" (/var/lib/berth for root, else
                         ~/.local/state/berth)`;

const subcommands: ReadonlyMap<
  string,
  { readonly run: ImageCommand; readonly operands: readonly string[] }
> = new Map([
  ["import", { run: runImport, operands: ["image"] }],
  ["ls", { run: runList, operands: ["image", "[path]"] }],
  ["diff", { run: runDiff, operands: ["image", "second image"] }],
  ["export", { run: runExport, operands: ["image", "folder or file"] }],
]);

/** `berth image`: images as trees in CAS. */
export const imageCommand: Command = {
  help,
  run,
};

async function run(
  [name, ...args]: readonly string[],
  context: ProgramContext,
): Promise<number> {
  try {
    return await runSubcommand(name, args, context);
  } catch (error) {
    if (error instanceof OutputClosedError) return exitOutputClosed;
    const { code, message } = toStatusError(error);
    process.stderr.write(`berth: ${message} (${codeName(code)})\n`);
    return exitTrouble;
  }
}

async function runSubcommand(
  name: string | undefined,
  args: readonly string[],
  { env, signal }: ProgramContext,
): Promise<number> {
  const subcommand = subcommands.get(name ?? "");
  if (subcommand === undefined) {
    const known = [...subcommands.keys()].join(", ");
    throw usageError("image", `Say what to do with images: ${known}`);
  }
  const parsed = parseImageSettings(args, subcommand.operands);
  const { settings, operands } = parsed;
  checkDockerConfigFile(settings.dockerConfig);
  const output = createOutput(process.stdout);
  const open = await openCas(settings, { env, signal });
  try {
    const context = { settings, open, env, output };
    const status = await subcommand.run(operands, context);
    await output.finish();
    return status;
  } finally {
    open.close();
  }
}
