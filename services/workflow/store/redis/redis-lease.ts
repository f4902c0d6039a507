import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { Code, StatusError } from "../../../../lib/status/index.js";
import type { RedisConnection } from "./redis-connection.js";
import { script } from "./redis-scripts.js";

/**
 * token, duration in ms. Gives who holds the lease after it, and how long;
 * takes it if nobody does.
 */
const renewScript = script(`
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  holder = ARGV[1]
end
return {holder, redis.call('PTTL', KEYS[1])}`);

/** token */
const releaseScript = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`);

/** How often a start looks whether the holder is still there. */
const pollMs = 100;

/**
 * The right to use a prefix, which one process at a time has: a key that
 * expires unless its holder renews it.
 */
export class RedisLease {
  readonly key: string;
  /** Tells holders apart, also two of one process; and an operator who. */
  readonly token = `${hostname()} process ${process.pid} ${randomUUID()}`;
  readonly #connection: RedisConnection;
  readonly #durationMs: number;
  /** By performance.now(): Redis's clock may run a little faster. */
  #heldUntil = 0;

  constructor(connection: RedisConnection, key: string, durationMs: number) {
    this.#connection = connection;
    this.key = key;
    this.#durationMs = durationMs;
  }

  /** Whether no other process can have it at this moment. */
  get isHeld(): boolean {
    return performance.now() < this.#heldUntil;
  }

  /**
   * Takes the lease. Waits for the end of one that is not renewed, as that of
   * a killed process; throws FailedPrecondition if it is renewed.
   */
  async acquire(): Promise<void> {
    let leastMs = Number.POSITIVE_INFINITY;
    for (;;) {
      const { holder, remainingMs } = await this.#renewOnce();
      if (holder === this.token) return;
      if (remainingMs > leastMs) throw inUse(holder);
      leastMs = remainingMs;
      await delay(pollMs);
    }
  }

  /** Prolongs it, or takes it again. Throws Unavailable if another has it. */
  async renew(): Promise<void> {
    const { holder } = await this.#renewOnce();
    if (holder === this.token) return;
    this.#heldUntil = 0;
    throw new StatusError(
      Code.Unavailable,
      `Another process has taken the job store: ${holderName(holder)}`,
    );
  }

  /** Lets another process have it at once. */
  async release(): Promise<void> {
    this.#heldUntil = 0;
    await this.#connection.run(releaseScript, this.key, [this.token]);
  }

  async #renewOnce(): Promise<{ holder: string; remainingMs: number }> {
    // It runs from a moment after this one.
    const heldUntil = performance.now() + this.#durationMs;
    const [holder, remainingMs] = (await this.#connection.run(
      renewScript,
      this.key,
      [this.token, this.#durationMs],
    )) as [string, number]; // as the script says
    if (holder === this.token) this.#heldUntil = heldUntil;
    return { holder, remainingMs };
  }
}

function inUse(holder: string): StatusError {
  return new StatusError(
    Code.FailedPrecondition,
    `It is in use by another process, and one at a time may use it: ${holderName(holder)}`,
  );
}

function holderName(token: string): string {
  return `"${token.replace(/ \S+$/, "")}"`;
}
