import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, StatusError } from "../../../lib/status/index.js";

/** As whom a program runs, and how its end is made certain. */
export interface ChosenIdentity {
  /** Unset: as we do. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** It is the helper, which tells its own faults. */
  readonly isHelper: boolean;
  /** After killLeftovers nothing that it started lives. */
  readonly endsAllProcesses: boolean;
  /** Kills what the program left behind; `wasKilled`: it did not end itself. */
  killLeftovers(buildDirectory: string, wasKilled: boolean): Promise<void>;
}

/** How identities are chosen. */
export interface ProgramIdentityOptions {
  /** Absolute path of the helper, which actions of a router name. */
  readonly helperPath?: string | undefined;
  /**
   * When we are root: the uid of slot 0; every slot has its own, so that what
   * an action leaves behind can be told from all else.
   */
  readonly firstUid?: number | undefined;
  readonly slots: number;
}

/** How long dying processes are waited for. */
const deathTimeoutMs = 5_000;

/**
 * Chooses as whom programs run. The helper keeps our rights, as it has to
 * make namespaces, but only in a command that the router wrote: a client's
 * own could give it other options. When we are root every other command runs
 * as its slot's own user, and what it leaves behind is killed by that.
 */
export class ProgramIdentity {
  readonly #options: ProgramIdentityOptions;

  constructor(options: ProgramIdentityOptions) {
    this.#options = options;
  }

  choose(
    argv: readonly string[],
    isRewritten: boolean,
    slot: number,
  ): ChosenIdentity {
    const { helperPath, firstUid } = this.#options;
    if (isRewritten && helperPath !== undefined && argv[0] === helperPath) {
      return {
        isHelper: true,
        endsAllProcesses: true,
        // One that ends by itself has seen the end of all that it ran.
        killLeftovers: async (buildDirectory, wasKilled) => {
          if (wasKilled) await waitUntilDeserted(buildDirectory);
        },
      };
    }
    if (firstUid === undefined) {
      return {
        isHelper: false,
        endsAllProcesses: false,
        killLeftovers: async () => {},
      };
    }
    const uid = firstUid + slot;
    return {
      user: { uid, gid: uid },
      isHelper: false,
      endsAllProcesses: true,
      killLeftovers: () => killUsers(uid, uid),
    };
  }

  /** Kills what the actions of an earlier process of ours left running. */
  async killAllLeftovers(buildDirectory: string): Promise<void> {
    const { firstUid, slots } = this.#options;
    if (firstUid !== undefined) {
      await killUsers(firstUid, firstUid + slots - 1);
    }
    for (const pid of processesWithin(`${buildDirectory}/`)) kill(pid);
    await waitUntilDeserted(`${buildDirectory}/`);
  }
}

/**
 * Kills the processes of a range of users until there are none: one that
 * forks faster than we look is stopped all the same, as it is killed too.
 */
async function killUsers(first: number, last: number): Promise<void> {
  await untilNone(() => {
    const found = processes().filter((pid) => {
      const uid = uidOf(pid);
      const isTheirs = uid !== undefined && uid >= first && uid <= last;
      return isTheirs && !isZombie(pid);
    });
    for (const pid of found) kill(pid);
    return found.length;
  });
}

/**
 * Waits until no process has its working directory beneath a path: those of
 * a killed helper's PID namespace die with its init, a moment later.
 */
async function waitUntilDeserted(path: string): Promise<void> {
  await untilNone(() => processesWithin(path).length);
}

async function untilNone(count: () => number): Promise<void> {
  const end = performance.now() + deathTimeoutMs;
  for (let waitMs = 1; count() > 0; waitMs = Math.min(50, waitMs * 2)) {
    if (performance.now() > end) {
      throw new StatusError(
        Code.Unavailable,
        "Failed to end the processes that an action left behind",
      );
    }
    await sleep(waitMs);
  }
}

function processes(): number[] {
  return readdirSync("/proc")
    .filter((name) => name.charCodeAt(0) <= 57 && name.charCodeAt(0) >= 48)
    .map(Number);
}

function uidOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}

/** Dead, and waits only for a parent that may never ask. */
function isZombie(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return true; // it ended meanwhile
  }
}

function processesWithin(path: string): number[] {
  return processes().filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).includes(path);
    } catch {
      return false; // it ended meanwhile, or is none of ours
    }
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // ESRCH: it ended by itself.
  }
}
