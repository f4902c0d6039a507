import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";

/**
 * Bytes that a client may send before it must wait for us, by stream and by
 * connection. The default of 64 KiB for both lets an upload wait for our event
 * loop sixteen times per megabyte.
 */
const streamWindowBytes = 1 << 20;
const connectionWindowBytes = 8 << 20;

/**
 * Widens the flow-control windows (RFC 9113, section 5.2) of all connections
 * that a bound server will accept: grpc-js has an option for clients alone.
 */
export function widenHttp2Windows(server: Server): void {
  for (const http2Server of http2Servers(server).keys()) {
    http2Server.on("session", (session: ServerHttp2Session) => {
      session.settings({ initialWindowSize: streamWindowBytes });
      session.setLocalWindowSize(connectionWindowBytes);
    });
  }
}

/**
 * The connections that a server has. Without channelz, grpc-js's forceShutdown
 * knows of none, and would leave their calls to go on.
 */
export function openSessions(server: Server): ServerHttp2Session[] {
  return [...http2Servers(server).values()].flatMap(({ sessions }) => [
    ...sessions,
  ]);
}

/**
 * The HTTP/2 servers that grpc-js keeps to itself: a private field, which
 * tests look after. With a version that keeps them elsewhere windows are
 * narrow, and calls under way are waited for to their ends.
 */
function http2Servers(server: Server): Http2Servers {
  const { http2Servers } = server as unknown as { http2Servers?: Http2Servers };
  return http2Servers ?? new Map();
}

type Http2Servers = ReadonlyMap<
  Http2Server,
  { readonly sessions: ReadonlySet<ServerHttp2Session> }
>;
