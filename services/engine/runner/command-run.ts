import type { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import type {
  BuildDirectory,
  FileBuildDirectories,
} from "./file-build-directories.js";
import type { FileProgramOutput } from "./file-program-output.js";
import type { ProgramIdentity } from "./program-identity.js";
import type { ProgramOutcome } from "./program-runner.js";
import type { ProgramSpawner } from "./program-spawner.js";

/** What it takes to run commands. */
export interface CommandRunOptions {
  readonly buildDirectories: FileBuildDirectories;
  readonly identity: ProgramIdentity;
  readonly spawner: ProgramSpawner;
}

/** A command in its directory. */
export interface CommandRun {
  readonly command: Command;
  readonly directory: BuildDirectory;
  /** Relative to the input root. */
  readonly workingDirectory: string;
  readonly stdout: FileProgramOutput;
  readonly stderr: FileProgramOutput;
  /** The router wrote the command. */
  readonly isRewritten: boolean;
  readonly slot: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How a command ended. */
export interface CommandEnd {
  readonly outcome:
    | ProgramOutcome
    /** Killed, as its signal was aborted. */
    | { readonly type: "cancelled"; readonly error: StatusError };
  /** Everything that it ran is dead for certain. */
  readonly isDead: boolean;
}

/** Runs a command to its end; throws what hindered that. */
export async function runCommand(
  run: CommandRun,
  options: CommandRunOptions,
): Promise<CommandEnd> {
  const { command, directory, workingDirectory, slot, signal } = run;
  if (command.arguments.length === 0) {
    throw new StatusError(Code.InvalidArgument, "Command must have arguments");
  }
  const { isHelper, user, leftovers } = options.identity.choose(
    command.arguments,
    { isRewritten: run.isRewritten, slot, buildDirectory: directory.path },
  );
  if (user !== undefined) {
    options.buildDirectories.checkReachable();
    options.buildDirectories.letIn(directory, user);
  }
  const program = {
    argv: command.arguments,
    env: environmentOf(command),
    workingDirectory:
      workingDirectory === ""
        ? directory.root
        : `${directory.root}/${workingDirectory}`,
    stdout: run.stdout.path,
    stderr: run.stderr.path,
    user,
    hasFaultPipe: isHelper,
    timeoutMs: run.timeoutMs,
  };
  const isDead = leftovers.type !== "unknown";
  try {
    const outcome = await options.spawner.run(program, leftovers, signal);
    return { outcome, isDead };
  } catch (thrown) {
    // Its signal's reason comes when all is dead; all else is our fault.
    if (!signal.aborted || thrown !== signal.reason) throw thrown;
    const error = toStatusError(thrown);
    return { outcome: { type: "cancelled", error }, isDead };
  }
}

function environmentOf(command: Command): Record<string, string> {
  return Object.fromEntries(
    command.environmentVariables.map(({ name, value }) => [name, value]),
  );
}
