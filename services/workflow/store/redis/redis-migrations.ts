import { Code, StatusError } from "../../../../lib/status/index.js";
import type { RedisConnection } from "./redis-connection.js";
import type { RedisLease } from "./redis-lease.js";
import { script } from "./redis-scripts.js";

/**
 * What brings the keys under a prefix from one version to the next, in Lua,
 * with `prefix` being what it says: the first makes nothing version 1. None
 * is ever changed once it was released.
 */
const migrations: readonly string[] = [""];

/**
 * Brings what is under a prefix to the present version, each step as a whole.
 * Throws FailedPrecondition if a newer version of berth wrote it.
 */
export async function migrateRedis(
  connection: RedisConnection,
  { lease, prefix }: { lease: RedisLease; prefix: string },
  steps = migrations,
): Promise<void> {
  const stored = await connection.read((redis) => redis.get(`${prefix}schema`));
  const version = Number(stored ?? 0);
  if (version > steps.length) {
    throw new StatusError(
      Code.FailedPrecondition,
      `It was written by a newer version of berth: its version is ${version}, and this one knows up to ${steps.length}`,
    );
  }
  for (const [index, step] of steps.entries()) {
    if (index < version) continue;
    const lua = `local prefix = ARGV[2]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('LEASE is not held by this process')
end
${step}
return redis.call('SET', prefix .. 'schema', ${index + 1})`;
    await connection.run(script(lua), lease.key, [lease.token, prefix]);
  }
}
