import { Redis } from "ioredis";
import { Code, StatusError } from "../../../../lib/status/index.js";
import {
  type RedisServer,
  redisClientOptions,
} from "./redis-client-options.js";
import { statusFromRedisError } from "./redis-error.js";
import type { RedisScript } from "./redis-scripts.js";

/** What a connection tells its owner. */
export interface ConnectionListener {
  /** It is there again. */
  onReady(): void;
  /** It is gone, and is being made again. */
  onLost(error: StatusError): void;
}

/** What a script is given. */
export type ScriptArgument = string | number;

/**
 * One connection to Redis, made again whenever it breaks. Every call ends
 * within the call timeout; what fails it is a StatusError.
 */
export class RedisConnection {
  readonly #redis: Redis;
  #lastError: unknown;

  constructor(
    server: RedisServer,
    callTimeoutMs: number,
    listener: ConnectionListener,
  ) {
    this.#redis = new Redis(redisClientOptions(server, callTimeoutMs));
    // The reason comes first, and then that the connection is closed.
    this.#redis.on("error", (error: unknown) => {
      this.#lastError = error;
    });
    this.#redis.on("close", () => listener.onLost(this.#whyClosed()));
    this.#redis.on("ready", () => listener.onReady());
  }

  /** Connects for the first time. Throws Unavailable if that fails. */
  async open(): Promise<void> {
    await this.#redis.connect().catch(() => {
      throw this.#whyClosed();
    });
  }

  /** Runs a script; what it gives back is the script's word. */
  run(
    { lua, sha1 }: RedisScript,
    key: string,
    parameters: readonly ScriptArgument[],
  ): Promise<unknown> {
    return this.#call(async () => {
      try {
        return await this.#redis.evalsha(sha1, 1, key, ...parameters);
      } catch (error) {
        if (!isUnknownScript(error)) throw error;
        return await this.#redis.eval(lua, 1, key, ...parameters);
      }
    });
  }

  /** A plain command that reads. */
  read<Result>(command: (redis: Redis) => Promise<Result>): Promise<Result> {
    return this.#call(() => command(this.#redis));
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #call<Result>(send: () => Promise<Result>): Promise<Result> {
    try {
      return await send();
    } catch (error) {
      // Refused by ioredis, since there is no connection: say why that is.
      if (this.#redis.status !== "ready") throw this.#whyClosed();
      throw statusFromRedisError(error);
    }
  }

  #whyClosed(): StatusError {
    return statusFromRedisError(
      this.#lastError ??
        new StatusError(
          Code.Unavailable,
          "Failed to use the job store: Redis has closed the connection",
        ),
    );
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}
