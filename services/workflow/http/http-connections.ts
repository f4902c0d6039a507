import type { Server } from "node:http";
import type { Socket } from "node:net";
import { Code, codeName } from "../../../lib/status/index.js";
import type { HttpConfiguration } from "./http-configuration.js";

/**
 * Bounds connections. One on which nothing moves for a while is cut if bytes
 * wait to be taken; an answer that has none yet, such as a quiet log, may wait.
 */
export function limitConnections(
  server: Server,
  { connections }: HttpConfiguration["limits"],
): void {
  server.maxConnections = connections;
  server.on("request", (_request, response) => {
    response.on("timeout", (socket: Socket) => {
      if (socket.writableLength > 0) socket.destroy();
    });
  });
}

const texts: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request took too long to come"],
  HPE_HEADER_OVERFLOW: [431, "The request's headers are too large"],
};

/** Answers what is no HTTP, and closes the connection. */
export function answerMalformed(
  { code }: { readonly code?: string },
  socket: Socket,
): void {
  if (code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = texts[code ?? ""] ?? [400, "This is no HTTP"];
  const error = { code: codeName(Code.InvalidArgument), message };
  const body = JSON.stringify({ error });
  socket.end(
    [
      `HTTP/1.1 ${status} Bad Request`,
      "Content-Type: application/json; charset=utf-8",
      `Content-Length: ${Buffer.byteLength(body)}`,
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
  );
}
