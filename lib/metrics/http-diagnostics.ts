import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { wrap } from "../status/index.js";

/** A running diagnostics server. */
export interface Diagnostics {
  /** "host:port" that it listens on. */
  readonly address: string;
  /** Stops listening and ends open connections. */
  stop(): Promise<void>;
}

/**
 * Serves, over HTTP: `/metrics` for Prometheus, `/-/healthy` (200 while the
 * process runs) and `/readyz` (200 when `isReady` says so, else 503).
 * Throws Unavailable or PermissionDenied when it cannot listen.
 */
export async function serveDiagnostics(options: {
  /** "host:port"; port 0 takes a free one. */
  listen: string;
  metrics: Registry;
  isReady: () => boolean | Promise<boolean>;
}): Promise<Diagnostics> {
  const server = createServer((request, response) => {
    answer(request.url ?? "/", response, options).catch(() => {
      // The peer went away, or a collector failed: this request only.
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  await listen(server, options.listen).catch((error: unknown) => {
    throw wrap(error, `Failed to serve diagnostics on "${options.listen}"`);
  });
  const { address, port } = server.address() as AddressInfo; // TCP, so no path
  return {
    address: `${address}:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  url: string,
  response: ServerResponse,
  options: { metrics: Registry; isReady: () => boolean | Promise<boolean> },
): Promise<void> {
  const plain = (status: number, text: string) => {
    response.writeHead(status, { "content-type": "text/plain" }).end(text);
  };
  switch (new URL(url, "http://localhost").pathname) {
    case "/metrics":
      response.writeHead(200, { "content-type": options.metrics.contentType });
      response.end(await options.metrics.metrics());
      return;
    case "/-/healthy":
      plain(200, "healthy\n");
      return;
    case "/readyz":
      if (await options.isReady()) plain(200, "ready\n");
      else plain(503, "not ready\n");
      return;
    default:
      plain(404, "Try /metrics, /-/healthy or /readyz\n");
  }
}

function listen(server: Server, address: string): Promise<void> {
  const colon = address.lastIndexOf(":");
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(
      Number(address.slice(colon + 1)),
      address.slice(0, colon).replace(/^\[|\]$/g, ""),
      () => resolve(),
    );
  });
}
