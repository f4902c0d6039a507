import type { Redis } from "ioredis";
import type { ErrorSink } from "../../../../lib/grpc/index.js";
import { Code, StatusError, wrap } from "../../../../lib/status/index.js";
import type { RedisServer } from "./redis-client-options.js";
import { RedisConnection, type ScriptArgument } from "./redis-connection.js";
import { durabilityWarnings } from "./redis-durability.js";
import { RedisLease } from "./redis-lease.js";
import { migrateRedis } from "./redis-migrations.js";
import type { RedisScript } from "./redis-scripts.js";

/** What a session is opened with. */
export interface RedisSessionOptions {
  readonly server: RedisServer;
  /** Before the names of all keys. */
  readonly prefix: string;
  /**
   * Told when Redis goes away or the lease is lost, once until it is there
   * again; when its data are gone; and if it does not keep them.
   */
  readonly sink: ErrorSink;
  /** How long a call may take; default 5 s. */
  readonly callTimeoutMs?: number;
  /**
   * How long after this process's end another has to wait, and how long Redis
   * may be away before another may take over; default 10 s.
   */
  readonly leaseMs?: number;
}

/**
 * The use of a prefix in Redis: a connection, and the lease without which
 * nothing is read or written. Both come back by themselves.
 */
export class RedisSession {
  readonly prefix: string;
  readonly #sink: ErrorSink;
  readonly #connection: RedisConnection;
  readonly #lease: RedisLease;
  readonly #renewEveryMs: number;
  #state: "opening" | "usable" | "lost" | "closed" = "opening";
  #whyLost: StatusError | undefined;
  #renewal: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: RedisSessionOptions) {
    const { callTimeoutMs = 5_000, leaseMs = 10_000 } = options;
    this.prefix = options.prefix;
    this.#sink = options.sink;
    this.#renewEveryMs = leaseMs / 4;
    this.#connection = new RedisConnection(options.server, callTimeoutMs, {
      onReady: () => this.#renewSoon(),
      onLost: (error) => this.#lose(error),
    });
    const key = `${this.prefix}lease`;
    this.#lease = new RedisLease(this.#connection, key, leaseMs);
  }

  /**
   * Connects, takes the lease and brings what is stored to the present form.
   * Throws Unavailable if Redis is away, FailedPrecondition if another process
   * uses the prefix or a newer version of berth wrote it.
   */
  static async open(options: RedisSessionOptions): Promise<RedisSession> {
    const session = new RedisSession(options);
    try {
      await session.#connection.open();
      await session.#lease.acquire();
      await session.#migrate();
      const warnings = await durabilityWarnings(session.#connection);
      for (const warning of warnings) options.sink(warning);
    } catch (error) {
      await session.close();
      throw wrap(error, `Failed to open job store "${options.server.url}"`);
    }
    session.#state = "usable";
    session.#timer = setInterval(
      () => session.#renewSoon(),
      session.#renewEveryMs,
    );
    return session;
  }

  /** Runs a script of those that need the lease. */
  async run(
    script: RedisScript,
    parameters: readonly ScriptArgument[],
  ): Promise<unknown> {
    this.#needUsable();
    const { key, token } = this.#lease;
    try {
      const all = [token, this.prefix, ...parameters];
      return await this.#connection.run(script, key, all);
    } catch (error) {
      this.#renewSoon(); // finds out whether it is more than this call
      throw error;
    }
  }

  /** Reads with a plain command. */
  async read<Result>(
    command: (redis: Redis) => Promise<Result>,
  ): Promise<Result> {
    this.#needUsable();
    return this.#connection.read(command);
  }

  /** Gives the lease back, and ends the connection. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearInterval(this.#timer);
    await this.#renewal;
    // Where Redis is away the lease ends by itself.
    await this.#lease.release().catch(() => {});
    this.#connection.close();
  }

  #needUsable(): void {
    if (this.#state === "closed") {
      throw new StatusError(Code.Unavailable, "The job store is closed");
    }
    if (this.#state === "usable" && this.#lease.isHeld) return;
    throw (
      this.#whyLost ??
      new StatusError(
        Code.Unavailable,
        "Failed to use the job store: the lease was not renewed in time",
      )
    );
  }

  #renewSoon(): void {
    if (this.#state === "opening" || this.#state === "closed") return;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
  }

  async #renew(): Promise<void> {
    try {
      await this.#lease.renew();
      if (this.#state === "lost") {
        await this.#needData();
        this.#state = "usable";
        this.#whyLost = undefined;
      }
    } catch (error) {
      this.#lose(wrap(error, "Failed to renew the lease on the job store"));
    }
  }

  #lose(error: StatusError): void {
    if (this.#state !== "usable") return;
    this.#state = "lost";
    this.#whyLost = error;
    this.#sink(error);
  }

  /** A Redis that keeps nothing comes back empty. */
  async #needData(): Promise<void> {
    const key = `${this.prefix}schema`;
    const version = await this.#connection.read((redis) => redis.get(key));
    if (version !== null) return;
    const text = "Redis came back without the jobs that it had";
    this.#sink(new StatusError(Code.DataLoss, text));
    await this.#migrate();
  }

  #migrate(): Promise<void> {
    const { prefix } = this;
    return migrateRedis(this.#connection, { lease: this.#lease, prefix });
  }
}
