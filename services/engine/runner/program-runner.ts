import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import {
  Code,
  StatusError,
  tryParseCodeName,
} from "../../../lib/status/index.js";

/** A program to run, and under which limits. */
export interface Program {
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Existing files, to which standard output and error are appended. */
  readonly stdout: string;
  readonly stderr: string;
  /** Runs as this user, without other groups; unset: as we do. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** Descriptor 3 is a pipe on which the program tells its own faults. */
  readonly hasFaultPipe: boolean;
  readonly timeoutMs: number;
}

/** What all processes of a program used. */
export interface ProgramUsage {
  readonly userMicros: number;
  readonly systemMicros: number;
  /** The most that one of them had. */
  readonly maximumResidentBytes: number;
}

/** How a program ended; plain data. */
export type ProgramOutcome =
  /**
   * By itself: its status, or 128 and the signal's number; and what it used,
   * where it runs behind the helper, which tells it.
   */
  | {
      readonly type: "exited";
      readonly exitCode: number;
      readonly usage?: ProgramUsage;
    }
  /** Killed after timeoutMs. */
  | { readonly type: "timedOut" }
  /** It never began: there is no such program, or it may not be executed. */
  | { readonly type: "notStarted"; readonly exitCode: 126 | 127; text: string }
  /** The machine's fault, as the program told on the fault pipe. */
  | { readonly type: "fault"; readonly code: Code; readonly text: string };

/** Numbers of the signals that Node names and programs die of. */
const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGSYS: 31,
};

/** Longest line of the fault pipe; the rest is dropped. */
const maximumFaultBytes = 4_096;

/** How long the fault pipe may stay open after the end of the program. */
const faultPipeGraceMs = 200;

/**
 * Runs a program in a session of its own and waits for its end; when it has
 * ended, for whatever reason, its process group is killed. Rejects with the
 * signal's reason when that is aborted, after the program is dead.
 */
export async function runProgram(
  program: Program,
  signal: AbortSignal,
): Promise<ProgramOutcome> {
  signal.throwIfAborted();
  const child = start(program);
  if ("type" in child) return child;
  let timedOut = false;
  const kill = () => killGroup(child);
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, program.timeoutMs);
  signal.addEventListener("abort", kill);
  const fault = readFault(child, program.hasFaultPipe);
  try {
    const end = await ended(child, program.argv[0] ?? "");
    if (signal.aborted) throw signal.reason;
    if (timedOut) return { type: "timedOut" };
    const told = await fault();
    if (told === undefined) return end;
    if ("type" in told) return told;
    return end.type === "exited" ? { ...end, usage: told } : end;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
    kill(); // what it left behind in its group
  }
}

function start(program: Program): ChildProcess | ProgramOutcome {
  const [name = "", ...rest] = program.argv;
  const stdout = openSync(program.stdout, "a");
  const stderr = openSync(program.stderr, "a");
  try {
    return spawn(name, rest, {
      argv0: name,
      cwd: program.workingDirectory,
      env: program.env,
      detached: true, // setsid: one group to kill, and no terminal
      stdio: [
        "ignore",
        stdout,
        stderr,
        ...(program.hasFaultPipe ? ["pipe" as const] : []),
      ],
      ...(program.user === undefined ? {} : program.user),
    });
  } catch (error) {
    // NUL bytes and the like: nothing was started.
    const { message } = error as Error; // child_process throws no other
    throw new StatusError(
      Code.InvalidArgument,
      `Failed to start "${name}": ${message}`,
      { cause: error },
    );
  } finally {
    closeSync(stdout); // the program has its own by now
    closeSync(stderr);
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // ESRCH: nobody is left in the group, which is what we want.
  }
}

function ended(child: ChildProcess, name: string): Promise<ProgramOutcome> {
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      const exitCode = notStartedStatus(error);
      if (exitCode === undefined) {
        reject(
          new StatusError(
            Code.Unavailable,
            `Failed to start "${name}": ${error.message}`,
            { cause: error },
          ),
        );
      } else {
        const text = `Failed to start "${name}": ${error.code}\n`;
        resolve({ type: "notStarted", exitCode, text });
      }
    });
    child.once("exit", (code, signal) => {
      const exitCode = code ?? 128 + (signalNumbers[signal ?? ""] ?? 0);
      resolve({ type: "exited", exitCode });
    });
  });
}

/** As coreutils' env does; undefined for what is the machine's fault. */
function notStartedStatus(error: NodeJS.ErrnoException): 126 | 127 | undefined {
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
      return 127;
    case "EACCES":
    case "ENOEXEC":
    case "EISDIR":
    case "ELOOP":
    case "E2BIG":
    case "ETXTBSY":
      return 126;
    default:
      return undefined;
  }
}

/** Gives a function that waits for the fault pipe's end and reads it. */
function readFault(
  child: ChildProcess,
  hasFaultPipe: boolean,
): () => Promise<ProgramOutcome | ProgramUsage | undefined> {
  const pipe = hasFaultPipe ? child.stdio[3] : undefined;
  if (pipe === undefined || pipe === null || !("read" in pipe)) {
    return async () => undefined;
  }
  let text = "";
  pipe.on("data", (data: Buffer) => {
    if (text.length < maximumFaultBytes) text += data.toString("utf8");
  });
  pipe.on("error", () => {}); // a pipe that breaks tells nothing
  const closed = new Promise<void>((resolve) => {
    pipe.once("close", () => resolve());
  });
  return async () => {
    const timer = setTimeout(() => pipe.destroy(), faultPipeGraceMs);
    await closed;
    clearTimeout(timer);
    const line = text.slice(0, maximumFaultBytes).split("\n", 1)[0] ?? "";
    return line === "" ? undefined : (parseUsage(line) ?? parseFault(line));
  };
}

/** "USAGE <user µs> <system µs> <memory KiB>", when nothing went wrong. */
function parseUsage(line: string): ProgramUsage | undefined {
  const numbers = /^USAGE (\d{1,15}) (\d{1,15}) (\d{1,12})$/.exec(line);
  if (numbers === null) return undefined;
  const [, user, system, kibibytes] = numbers.map(Number);
  return {
    userMicros: user ?? 0,
    systemMicros: system ?? 0,
    maximumResidentBytes: (kibibytes ?? 0) * 1_024,
  };
}

/** "<CODE> <text>"; a line that says otherwise is the machine's fault too. */
function parseFault(line: string): ProgramOutcome {
  const [name = ""] = line.split(" ", 1);
  const code = tryParseCodeName(name);
  if (code === undefined || code === Code.Ok) {
    return { type: "fault", code: Code.Unavailable, text: line };
  }
  return { type: "fault", code, text: line.slice(name.length + 1) };
}
