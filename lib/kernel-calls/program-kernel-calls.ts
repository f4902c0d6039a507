import { spawn } from "node:child_process";
import { Code, StatusError } from "../status/index.js";

/** Who is at the other end of a unix socket (unix(7), SO_PEERCRED). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * System calls that Node lacks, on descriptors of this process. What a call
 * does to a descriptor's open file description (a lock) stays with it, until
 * it is closed here.
 */
export interface KernelCalls {
  /**
   * Takes the exclusive flock(2) of an open file without waiting: false if
   * someone else holds a lock on it.
   */
  tryLockExclusive(descriptor: number): Promise<boolean>;
  /** Writes all of the descriptor's file system to disk (syncfs(2)). */
  syncFileSystem(descriptor: number): Promise<void>;
  /** Asks who connected; the descriptor is a connected unix socket. */
  peerCredentials(descriptor: number): Promise<PeerCredentials>;
}

/** Where the child finds the descriptor: after its standard ones. */
const childDescriptor = 3;

/** More than any answer or error of the program has. */
const maximumOutput = 4096;

/**
 * Calls by way of the program `berth-exec` at the given path, which is started
 * for each call (about 1 ms) and inherits the descriptor. Calls throw NotFound
 * or PermissionDenied when it cannot be started, Internal when it fails.
 */
export function createKernelCalls(programPath: string): KernelCalls {
  const run = (args: readonly string[], descriptor: number) =>
    runProgram(programPath, [...args, String(childDescriptor)], descriptor);
  return {
    async tryLockExclusive(descriptor) {
      const args = ["lock", "--exclusive", "--nonblocking"];
      const { status, text } = await run(args, descriptor);
      if (status === 0) return true;
      if (status === 1) return false;
      throw failure("lock", status, text);
    },
    async syncFileSystem(descriptor) {
      const { status, text } = await run(["syncfs"], descriptor);
      if (status !== 0) throw failure("syncfs", status, text);
    },
    async peerCredentials(descriptor) {
      const { status, text } = await run(["peercred"], descriptor);
      const match = /^(\d+) (\d+) (\d+)\n$/.exec(text);
      if (status !== 0 || match === null) {
        throw failure("peercred", status, text);
      }
      const [pid, uid, gid] = match.slice(1).map(Number);
      return { pid: pid ?? 0, uid: uid ?? 0, gid: gid ?? 0 };
    },
  };
}

function failure(name: string, status: number | null, text: string) {
  return new StatusError(
    Code.Internal,
    `Failed to run berth-exec ${name}: exit status ${status}: ${text.trim()}`,
  );
}

function runProgram(
  program: string,
  args: readonly string[],
  descriptor: number,
): Promise<{ status: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe", descriptor],
      env: {}, // The calls read nothing from it; it may hold credentials.
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        text = (text + chunk).slice(0, maximumOutput);
      });
    }
    child.once("error", (error: NodeJS.ErrnoException) => {
      const code =
        error.code === "ENOENT" ? Code.NotFound : Code.PermissionDenied;
      const detail = `Failed to start "${program}": ${error.message}`;
      reject(new StatusError(code, detail, { cause: error }));
    });
    child.once("close", (status) => resolve({ status, text }));
  });
}
