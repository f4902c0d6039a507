import { Code, StatusError } from "../../../../lib/status/index.js";
import type { RedisConnection } from "./redis-connection.js";

/** What is wrong with a Redis that is to keep jobs; nothing, one hopes. */
export async function durabilityWarnings(
  connection: RedisConnection,
): Promise<StatusError[]> {
  const info = await connection.read(async (redis) => [
    await redis.info("persistence"),
    await redis.info("memory"),
  ]);
  const text = info.join("\n");
  const texts: string[] = [];
  if (/^aof_enabled:0/m.test(text)) {
    texts.push(
      "Redis keeps no append-only file, so that jobs are lost when it ends: set appendonly to yes",
    );
  }
  if (/^maxmemory_policy:allkeys-/m.test(text)) {
    texts.push(
      "Redis may evict jobs when its memory is full: set maxmemory-policy to noeviction",
    );
  }
  return texts.map((text) => new StatusError(Code.FailedPrecondition, text));
}
