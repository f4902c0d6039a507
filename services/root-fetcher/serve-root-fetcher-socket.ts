import { chmod, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import type { KernelCalls } from "../../lib/kernel-calls/index.js";
import { Code, StatusError, wrap } from "../../lib/status/index.js";
import { type SessionOptions, serveSession } from "./acquire-session.js";

/** What the socket is served with. */
export interface RootFetcherServiceOptions {
  /** Absolute path; a file that is there is replaced. */
  readonly path: string;
  /** Permission bits of the socket, such as 0o660. */
  readonly mode: number;
  /** Who may acquire roots; others are refused by the kernel's word. */
  readonly allowedUids: readonly number[];
  readonly maximumConnections: number;
  readonly idleTimeoutMs: number;
  readonly kernel: KernelCalls;
  readonly acquire: SessionOptions["acquire"];
  readonly used: SessionOptions["used"];
}

/** A socket that is being served. */
export interface RootFetcherService {
  connections(): number;
  /** Refuses what is being waited for, ends all leases, closes the socket. */
  stop(): Promise<void>;
}

/**
 * Serves the root fetcher's protocol on a unix socket. The caller must hold
 * the store's lock: then the socket's file, if there is one, is a dead
 * process's. Throws what listening fails with.
 */
export async function serveRootFetcher(
  options: RootFetcherServiceOptions,
): Promise<RootFetcherService> {
  const stopping = new AbortController();
  const sessions = new Set<Promise<void>>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (sessions.size >= options.maximumConnections) {
      refuse(socket);
      return;
    }
    const session = serveSession(socket, {
      authorize: () => authorize(socket, options),
      acquire: options.acquire,
      used: options.used,
      idleTimeoutMs: options.idleTimeoutMs,
      stopping: stopping.signal,
    });
    sessions.add(session);
    void session.then(() => sessions.delete(session));
  });
  await listen(server, options);
  return {
    connections: () => sessions.size,
    async stop() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      stopping.abort();
      await Promise.all(sessions);
      await closed;
    },
  };
}

async function listen(
  server: Server,
  { path, mode }: RootFetcherServiceOptions,
): Promise<void> {
  try {
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      // Between bind and chmod nobody else may connect.
      const before = process.umask(0o777);
      try {
        server.listen(path, resolve);
      } finally {
        process.umask(before);
      }
    });
    await chmod(path, mode);
  } catch (error) {
    throw wrap(error, `Failed to listen on "${path}"`);
  }
}

function refuse(socket: Socket): void {
  socket.on("error", () => {}); // gone already
  socket.end("ERROR RESOURCE_EXHAUSTED: Too many connections\n");
  socket.destroySoon();
}

async function authorize(
  socket: Socket,
  { kernel, allowedUids }: RootFetcherServiceOptions,
): Promise<void> {
  const { uid } = await kernel.peerCredentials(descriptorOf(socket));
  if (allowedUids.includes(uid)) return;
  throw new StatusError(
    Code.PermissionDenied,
    `User ${uid} may not acquire image roots: add it to the socket's "allowedUids"`,
  );
}

/**
 * Node shows the descriptor of a socket only on its handle, which has no types
 * and is undefined once the socket is closed.
 */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  const descriptor: unknown =
    typeof handle === "object" && handle !== null && "fd" in handle
      ? handle.fd
      : undefined;
  if (typeof descriptor === "number" && descriptor >= 0) return descriptor;
  throw new StatusError(Code.Cancelled, "The client is gone");
}
