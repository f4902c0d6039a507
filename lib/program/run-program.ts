import { codeName, toStatusError } from "../status/index.js";

/** What a program is given; nothing else reads process.argv and process.env. */
export interface ProgramContext {
  /** Arguments after the program's own name. */
  readonly argv: readonly string[];
  /** The environment. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborted at the first SIGTERM or SIGINT: stop serving, finish, return. */
  readonly signal: AbortSignal;
}

/**
 * Runs a program to its end and sets the exit status: what `main` returns, 0
 * for undefined, or 1 when it throws, with "name: text" on standard error. The
 * first SIGTERM or SIGINT aborts the signal, and `main` is expected to stop
 * within its own time; the second one ends the process at once.
 */
export async function runProgram(
  name: string,
  main: (context: ProgramContext) => Promise<number | undefined>,
): Promise<void> {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      process.exit(128 + (signal === "SIGINT" ? 2 : 15));
    }
    controller.abort();
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // Whoever read our lines may be gone: that is no reason to end in the middle.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => {});
  }
  try {
    const status = await main({
      argv: process.argv.slice(2),
      env: process.env,
      signal: controller.signal,
    });
    process.exitCode = status ?? 0;
  } catch (error) {
    const { code, message } = toStatusError(error);
    process.stderr.write(`${name}: ${message} (${codeName(code)})\n`);
    process.exitCode = 1;
  } finally {
    process.off("SIGTERM", stop);
    process.off("SIGINT", stop);
  }
}

/** Resolves when the signal is aborted; at once if it is already. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
