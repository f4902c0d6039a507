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
 * that a bound server will accept. grpc-js has an option for clients alone, so
 * this reaches for the HTTP/2 servers that it keeps to itself; a version that
 * keeps them elsewhere has narrow windows, and nothing else.
 */
export function widenHttp2Windows(server: Server): void {
  // A private field of grpc-js, which a test looks after.
  const { http2Servers } = server as unknown as {
    http2Servers?: ReadonlyMap<Http2Server, unknown>;
  };
  for (const http2Server of http2Servers?.keys() ?? []) {
    http2Server.on("session", (session: ServerHttp2Session) => {
      session.settings({ initialWindowSize: streamWindowBytes });
      session.setLocalWindowSize(connectionWindowBytes);
    });
  }
}
