import { isIP } from "node:net";
import type { RedisOptions } from "ioredis";

/** Where Redis is, and who we are there. */
export interface RedisServer {
  /** See redisUrlSchema. */
  readonly url: string;
  readonly password?: string | undefined;
  /** Certificates (PEM) that vouch for the server's, for rediss://. */
  readonly certificateAuthorities?: Buffer | undefined;
}

/**
 * What ioredis is told. Nothing waits in queues of its own: a call that cannot
 * be sent now, or whose connection breaks, fails at once, and nothing is sent
 * again behind our back.
 */
export function redisClientOptions(
  server: RedisServer,
  callTimeoutMs: number,
): RedisOptions & { replyMapping: "legacy" } {
  return {
    ...addressOf(server),
    ...(server.password === undefined ? {} : { password: server.password }),
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: callTimeoutMs,
    connectTimeout: callTimeoutMs,
    retryStrategy: (attempt) =>
      Math.min(20 * 2 ** Math.min(attempt, 10), 1_000),
    // ioredis waits for it even where the connection is closed already.
    disconnectTimeout: 200,
    connectionName: "berth",
    replyMapping: "legacy",
  };
}

function addressOf({ url, certificateAuthorities }: RedisServer): RedisOptions {
  const { protocol, hostname, port, pathname, username } = new URL(url);
  if (protocol === "unix:") return { path: decodeURIComponent(pathname) };
  const host = hostname.replace(/^\[|\]$/g, ""); // of IPv6
  const tls = {
    ...(isIP(host) ? {} : { servername: host }),
    ...(certificateAuthorities ? { ca: certificateAuthorities } : {}),
  };
  return {
    host,
    port: port === "" ? 6379 : Number(port),
    db: Number(pathname.slice(1)),
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(protocol === "rediss:" ? { tls } : {}),
  };
}
