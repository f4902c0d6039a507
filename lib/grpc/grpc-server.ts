import { rm } from "node:fs/promises";
import { constants } from "node:http2";
import { connect } from "node:net";
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  setLogger,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  HealthCheckResponse_ServingStatus,
  HealthService,
} from "#proto/grpc/health/v1/health.js";
import { Code, StatusError, wrap } from "../status/index.js";
import { withoutChannelz } from "./channelz.js";
import { createHealth } from "./health.js";
import { openSessions, widenHttp2Windows } from "./http2-sessions.js";
import type { ErrorSink } from "./implement.js";

/** A service and what implements it. */
export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** Certificates of a server or a client, PEM. */
export interface GrpcTls {
  readonly key?: Buffer;
  readonly certificate?: Buffer;
  /** Who signs the peer's certificate; on a server: clients must have one. */
  readonly authority?: Buffer;
}

/** A running gRPC server. */
export interface GrpcServer {
  /** Where it listens: "host:port" or "unix:/path". */
  readonly address: string;
  /** What the health service answers; NOT_SERVING while draining. */
  setServing(serving: boolean): void;
  /**
   * Takes no new calls, waits for those under way, and after `graceMs` ends
   * what is left.
   */
  stop(graceMs: number): Promise<void>;
}

/** The default of Buildbarn's and of grpc-js's peers, twice for batches. */
const defaultMaxMessageBytes = 4 * 2 ** 20;

/**
 * Serves gRPC with the health service beside. Throws Unavailable or
 * PermissionDenied, naming the address, when it cannot listen.
 */
export async function serveGrpc(options: {
  /** "host:port" (port 0: a free one) or "unix:/path". */
  listen: string;
  services: readonly GrpcService[];
  sink: ErrorSink;
  tls?: GrpcTls;
  /** Larger messages are refused before they are buffered. */
  maxMessageBytes?: number;
}): Promise<GrpcServer> {
  const server = new Server({
    "grpc.max_receive_message_length":
      options.maxMessageBytes ?? defaultMaxMessageBytes,
    // A gRPC peer may compress; a bomb is stopped by the limit above.
    "grpc.max_send_message_length": -1,
    ...withoutChannelz,
  });
  const health = createHealth(options.sink);
  server.addService(HealthService, health.implementation);
  for (const { definition, implementation } of options.services) {
    server.addService(definition, implementation);
  }
  await removeStaleSocket(options.listen);
  const port = await bind(server, options).catch((error: unknown) => {
    throw bindError(error, options.listen);
  });
  widenHttp2Windows(server);
  health.set(HealthCheckResponse_ServingStatus.SERVING);
  return {
    address: options.listen.replace(/:0$/, `:${port}`),
    setServing: (serving) =>
      health.set(
        serving
          ? HealthCheckResponse_ServingStatus.SERVING
          : HealthCheckResponse_ServingStatus.NOT_SERVING,
      ),
    stop: async (graceMs) => {
      health.set(HealthCheckResponse_ServingStatus.NOT_SERVING);
      await drain(server, graceMs);
    },
  };
}

/**
 * A server that was killed leaves its unix socket behind, and nobody can bind
 * to it again: it goes when nobody answers there.
 */
async function removeStaleSocket(listen: string): Promise<void> {
  if (!listen.startsWith("unix:")) return;
  const path = listen.slice("unix:".length);
  const isStale = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ECONNREFUSED"),
    );
  });
  if (isStale) await rm(path, { force: true });
}

function bind(
  server: Server,
  options: { listen: string; tls?: GrpcTls },
): Promise<number> {
  const { tls } = options;
  const credentials =
    tls?.key === undefined || tls.certificate === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          tls.authority ?? null,
          [{ private_key: tls.key, cert_chain: tls.certificate }],
          tls.authority !== undefined,
        );
  quietBinding();
  return new Promise((resolve, reject) => {
    server.bindAsync(options.listen, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

/**
 * grpc-js writes on standard error that it could not bind, beside the error
 * that we hand on; the rest that it writes there stays.
 */
function quietBinding(): void {
  setLogger({
    error: (message: unknown, ...rest: unknown[]) => {
      if (String(message).startsWith("No address added")) return;
      process.stderr.write(`grpc: ${[message, ...rest].join(" ")}\n`);
    },
  });
}

/** What the kernel says of an address, by errno: who must act, and the text. */
const bindErrors: Readonly<Record<string, readonly [Code, string]>> = {
  EADDRINUSE: [Code.Unavailable, "another program listens there"],
  EADDRNOTAVAIL: [Code.FailedPrecondition, "this machine has no such address"],
  EACCES: [Code.PermissionDenied, "this user may not listen there"],
  ENOENT: [Code.FailedPrecondition, "its folder does not exist"],
};

/** grpc-js has the errno in its text only. */
function bindError(error: unknown, listen: string): StatusError {
  const doing = `Failed to serve gRPC on "${listen}"`;
  const [, errno = ""] = /\[listen (E[A-Z]+): /.exec(String(error)) ?? [];
  const [code, reason] = bindErrors[errno] ?? [];
  return code === undefined
    ? wrap(error, doing)
    : new StatusError(code, `${doing}: ${reason}`, { cause: error });
}

function drain(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      server.forceShutdown();
      for (const session of openSessions(server)) {
        session.destroy(undefined, constants.NGHTTP2_CANCEL);
      }
    };
    const timer = setTimeout(end, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
