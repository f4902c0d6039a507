import { afterAll, beforeAll } from "@jest/globals";
import type { Redis } from "ioredis";
import { RedisServerProcess } from "../../../../test/fixtures/redis-server.js";
import { describeJobStore } from "../../../../test/suites/job-store-suite.js";
import { RedisJobStore } from "./redis-job-store.js";

let server: RedisServerProcess;
let client: Redis;
let count = 0;

beforeAll(async () => {
  server = await RedisServerProcess.start("--appendonly", "yes");
  client = server.client();
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

describeJobStore("RedisJobStore", async () => {
  count += 1;
  const prefix = `test-${count}:`;
  const errors: unknown[] = [];
  const open = () =>
    RedisJobStore.open({
      server: { url: server.url },
      prefix,
      sink: (error) => errors.push(error),
    });
  let store = await open();
  return {
    store,
    errors,
    reopen: async () => {
      store = await open();
      return store;
    },
    damage: async (id, record) => {
      await client.hset(`${prefix}job:${id}`, "record", record);
    },
    setAside: async () => {
      const found = new Map<string, { record: Buffer; reason: string }>();
      for (const id of await client.zrange(`${prefix}set-aside`, "0", "-1")) {
        const fields = await client.hgetallBuffer(`${prefix}set-aside:${id}`);
        const { record = Buffer.alloc(0), reason } = fields;
        found.set(id, { record, reason: String(reason) });
      }
      return found;
    },
    stop: () => store.close(),
  };
});
