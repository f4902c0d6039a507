import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, StatusError } from "../../../lib/status/index.js";

/** How what a program may have left running is found, and ended. */
export type Leftovers =
  /** By its users: nobody else runs as these. */
  | { readonly type: "users"; readonly first: number; readonly last: number }
  /**
   * By the directory that it ran in: the helper ends all that it ran, so only
   * after it was killed is there something to wait for.
   */
  | { readonly type: "directory"; readonly path: string }
  /** It cannot be. */
  | { readonly type: "unknown" };

/** How long dying processes are waited for. */
const deathTimeoutMs = 5_000;

/**
 * Ends what a program left running; `wasKilled`: it did not end by itself.
 * Throws Unavailable when something lives on.
 */
export async function endLeftovers(
  leftovers: Leftovers,
  wasKilled: boolean,
): Promise<void> {
  switch (leftovers.type) {
    case "users":
      return killUsers(leftovers.first, leftovers.last);
    case "directory":
      return wasKilled ? waitUntilDeserted(leftovers.path) : undefined;
    case "unknown":
      return;
  }
}

/** Kills whatever runs beneath a directory, and waits for its end. */
export async function clearDirectory(path: string): Promise<void> {
  for (const pid of processesWithin(`${path}/`)) kill(pid);
  await waitUntilDeserted(`${path}/`);
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
