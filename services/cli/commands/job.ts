import type { ProgramContext } from "../../../lib/program/index.js";
import {
  codeName,
  isInfrastructureError,
  toStatusError,
} from "../../../lib/status/index.js";
import type { Command } from "../command.js";
import { createOutput, OutputClosedError } from "../image/output.js";
import type { JobCommand, JobCommandContext } from "../job/job-command.js";
import { runCancel, runRemove, runRetry } from "../job/run-change.js";
import { runList } from "../job/run-list.js";
import { runLog } from "../job/run-log.js";
import { runOutput } from "../job/run-output.js";
import { runShow } from "../job/run-show.js";
import { runSubmit } from "../job/run-submit.js";
import { plainText } from "../job/view/terminal-text.js";
import { usageError } from "../parse-options.js";

/** Exit status for what was asked wrongly, or refused. */
const exitUsage = 2;

/** Exit status when the server is away, or fails, as docker has it. */
const exitNotDone = 125;

/** Exit status after Ctrl-C, as shells have it. */
const exitInterrupted = 130;

/** Exit status when the reader of the output left, as of SIGPIPE. */
const exitOutputClosed = 141;

const help = `usage: berth job submit [OPTION…] FILE|-
       berth job ls [OPTION…]
       berth job show|cancel|retry ID
       berth job log [-f] [--step STEP] ID
       berth job output [-o FILE] ID STEP/NAME[/PATH]
       berth job rm ID…

Works with jobs of several containers on a running "berth up". FILE is a job in
YAML or JSON: see docs/jobs.md. ID may be the beginning of a job's id.

  submit   send a job; print its id
  ls       list jobs, the newest first
  show     say all of a job and its steps
  log      print what the steps wrote
  output   print a file that a step left, or list a directory; NAME may be
           stdout or stderr
  cancel   stop a job
  retry    run a job again, from the steps on that did not succeed
  rm       forget jobs that have ended

  -f, --follow           submit, retry, log: show the job until it ends. Ctrl-C
                         ends the showing, not the job
  --name NAME            submit: the job's name. ls: jobs of this name
  --set FIELD=VALUE      submit: over what the file says, such as cache=true,
                         environment.X=1, steps.NAME.image=debian; may be
                         repeated
  --idempotency-key KEY  submit: however often it is sent, the job is one
  --state STATE          ls: jobs in it; may be repeated
  --label NAME=VALUE     ls: jobs that have it; may be repeated
  --limit N              ls: at most so many (20)
  --step STEP            log: of this step only, as it was written
  -o, --output FILE      output: where to put it
  --json                 for programs: one JSON document, or one a line with -f
  --server URL           of the job service (BERTH_SERVER, else
                         http://127.0.0.1:3000)
  --token-file FILE      who you are, where the service asks (BERTH_TOKEN_FILE,
                         or the token itself in BERTH_TOKEN)

The exit status is 0 if all went well and, followed, the job succeeded; 1 if it
did not; 2 for what is asked wrongly; 125 when the service is away or fails; 130
when interrupted.`;

const subcommands: ReadonlyMap<string, JobCommand> = new Map([
  ["submit", runSubmit],
  ["ls", runList],
  ["show", runShow],
  ["log", runLog],
  ["output", runOutput],
  ["cancel", runCancel],
  ["retry", runRetry],
  ["rm", runRemove],
]);

/** `berth job`: jobs of several containers. */
export const jobCommand: Command = {
  help,
  run,
};

async function run(
  [name, ...args]: readonly string[],
  { env, signal }: ProgramContext,
): Promise<number> {
  const output = createOutput(process.stdout);
  try {
    const subcommand = subcommands.get(name ?? "");
    if (subcommand === undefined) {
      const known = [...subcommands.keys()].join(", ");
      throw usageError("job", `Say what to do with jobs: ${known}`);
    }
    const terminal = openTerminal(env);
    const status = await subcommand(args, {
      env,
      signal,
      output,
      say: (line) => process.stderr.write(`${line}\n`),
      ...(terminal !== undefined && { terminal }),
    });
    await output.finish();
    return status;
  } catch (error) {
    if (error instanceof OutputClosedError) return exitOutputClosed;
    if (signal.aborted) return exitInterrupted;
    const { code, message } = toStatusError(error);
    const text = message.split("\n").map(plainText).join("\n");
    process.stderr.write(`berth: ${text} (${codeName(code)})\n`);
    return isInfrastructureError(code) ? exitNotDone : exitUsage;
  }
}

/** Undefined where standard output is none, or cannot be drawn on. */
function openTerminal(env: NodeJS.ProcessEnv): JobCommandContext["terminal"] {
  const { stdout } = process;
  if (!stdout.isTTY) return undefined;
  return {
    get columns() {
      return stdout.columns || 80;
    },
    get rows() {
      return stdout.rows || 24;
    },
    canDraw: env.TERM !== "dumb",
  };
}
