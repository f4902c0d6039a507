import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Code, StatusError } from "../../../lib/status/index.js";
import { endLeftovers, type Leftovers } from "./program-leftovers.js";
import type { Program, ProgramOutcome } from "./program-runner.js";
import type {
  SpawnerAnswer,
  SpawnerRequest,
} from "./program-spawner-protocol.js";

const main = fileURLToPath(
  new URL("./program-spawner-main.js", import.meta.url),
);

/** One program under way. */
interface Waiting {
  resolve(outcome: ProgramOutcome): void;
  reject(error: unknown): void;
}

/**
 * Starts programs through a process of its own: fork copies the page tables
 * of its caller, which takes milliseconds from an engine with caches, and
 * nothing else happens in it meanwhile. That process ends, with all programs,
 * when ours does; should it end by itself, what was under way is Unavailable
 * and the next program gets a new one.
 */
export class ProgramSpawner {
  #process: ChildProcess | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /**
   * Runs a program to its end, and ends its leftovers. Rejects with the
   * signal's reason when that is aborted, after all is dead.
   */
  async run(
    program: Program,
    leftovers: Leftovers,
    signal: AbortSignal,
  ): Promise<ProgramOutcome> {
    signal.throwIfAborted();
    const id = ++this.#lastId;
    const spawner = this.#ensureProcess();
    const kill = () => send(spawner, { type: "kill", id });
    signal.addEventListener("abort", kill);
    try {
      return await new Promise<ProgramOutcome>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        send(spawner, { type: "run", id, program, leftovers });
      });
    } catch (error) {
      // If the process is gone it could not do this; else nothing is left.
      await endLeftovers(leftovers, true);
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", kill);
      this.#waiting.delete(id);
    }
  }

  /** Ends the process; nothing may be under way. */
  async stop(): Promise<void> {
    const spawner = this.#process;
    if (spawner === undefined) return;
    const exited = once(spawner, "exit");
    spawner.disconnect();
    await exited;
  }

  #ensureProcess(): ChildProcess {
    if (this.#process !== undefined) return this.#process;
    const spawner = fork(main, [], {
      execArgv: [], // not our profiler's, not our debugger's
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    spawner.on("message", (answer: SpawnerAnswer) => this.#settle(answer));
    spawner.on("error", () => {}); // "exit" follows, or a send that fails
    spawner.on("exit", () => this.#lose(spawner));
    this.#process = spawner;
    return spawner;
  }

  #settle(answer: SpawnerAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if ("outcome" in answer) waiting?.resolve(answer.outcome);
    else waiting?.reject(new StatusError(answer.code, answer.text));
  }

  #lose(spawner: ChildProcess): void {
    if (this.#process === spawner) this.#process = undefined;
    for (const { reject } of this.#waiting.values()) {
      reject(
        new StatusError(
          Code.Unavailable,
          "The process that starts programs has ended",
        ),
      );
    }
  }
}

function send(spawner: ChildProcess, request: SpawnerRequest): void {
  // A process that is gone tells so by its exit.
  if (spawner.connected) spawner.send(request, () => {});
}
