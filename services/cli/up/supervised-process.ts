import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** A program that is started again when it ends by itself. */
export interface SupervisedProcess {
  readonly name: string;
  /** Sends SIGTERM, after `graceMs` SIGKILL, and waits for the end. */
  stop(graceMs: number): Promise<void>;
}

/** First wait before a restart; it doubles up to the longest. */
const firstRestartDelayMs = 200;

/** Longest wait before a restart: a broken disk should not fill the log. */
const longestRestartDelayMs = 10_000;

/** A run at least this long counts as healthy: the waits begin anew. */
const healthyRunMs = 30_000;

/**
 * Prefix of every command: the program ends with us even when we are killed
 * (prctl(2), PR_SET_PDEATHSIG), so that the next start finds nobody there.
 */
const endWithUs = ["setpriv", "--pdeathsig", "TERM", "--"] as const;

/**
 * Starts a program and keeps it running. Its standard error is handed on line
 * by line; unexpected ends are reported with what is done about them.
 */
export function superviseProcess(options: {
  name: string;
  command: readonly [string, ...string[]];
  /** One line of the program's standard error. */
  onLine: (line: string) => void;
  /** The program ended by itself, `why`, and starts again after a wait. */
  onRestart: (why: string, delayMs: number) => void;
}): SupervisedProcess {
  const stopping = new AbortController();
  let child: ChildProcess | undefined;

  async function keepRunning(): Promise<void> {
    let delayMs = firstRestartDelayMs;
    while (!stopping.signal.aborted) {
      const started = Date.now();
      const [program, ...args] = [...endWithUs, ...options.command];
      child = spawn(program, args, {
        stdio: ["ignore", "inherit", "pipe"],
        // A group of its own: Ctrl-C at a terminal is for us to pass on.
        detached: true,
      });
      const why = await ended(child, options.onLine);
      if (stopping.signal.aborted) return;
      if (Date.now() - started >= healthyRunMs) delayMs = firstRestartDelayMs;
      options.onRestart(why, delayMs);
      // The wait is cut short, not failed, by a stop.
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(
        () => {},
      );
      delayMs = Math.min(delayMs * 2, longestRestartDelayMs);
    }
  }

  const running = keepRunning();
  return {
    name: options.name,
    stop: async (graceMs) => {
      stopping.abort();
      child?.kill("SIGTERM");
      const killer = setTimeout(() => child?.kill("SIGKILL"), graceMs);
      await running;
      clearTimeout(killer);
    },
  };
}

function ended(
  child: ChildProcess,
  onLine: (line: string) => void,
): Promise<string> {
  let rest = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => {
      if (rest !== "") onLine(rest);
      resolve(signal === null ? `exit status ${code}` : `signal ${signal}`);
    });
  });
}
