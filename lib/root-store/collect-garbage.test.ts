import {
  constants,
  type PerformanceEntry,
  PerformanceObserver,
} from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { collectGarbage } from "./collect-garbage.js";

const large = 64 * 2 ** 20;

test("collectGarbage() collects after a large tree, and does nothing after a small one", async () => {
  using forced = countForcedCollections();
  collectGarbage(29_999);
  expect(await forced.count()).toBe(0);
  collectGarbage(30_000);
  expect(await forced.count()).toBe(1);
});

test("collectGarbage() frees buffers", async () => {
  const buffers = () => process.memoryUsage().arrayBuffers;
  const before = buffers();
  Array.from({ length: 64 }, () => Buffer.alloc(large / 64, 1));
  collectGarbage(30_000);
  // Another thread lets go of them, and counts them off at a later turn.
  while (buffers() >= before + large / 2) await turn();
});

/** Those that were asked for: V8's own come whenever it likes, in the middle of a test too. */
function countForcedCollections() {
  let forced = 0;
  const add = (entries: PerformanceEntry[]) => {
    forced += entries.filter(isForced).length;
  };
  const observer = new PerformanceObserver((list) => add(list.getEntries()));
  observer.observe({ entryTypes: ["gc"] });
  return {
    async count() {
      for (let turns = 0; turns < 10; turns++) await turn(); // entries are queued a turn later
      add(observer.takeRecords());
      return forced;
    },
    [Symbol.dispose]() {
      observer.disconnect();
    },
  };
}

function isForced(entry: PerformanceEntry) {
  const { detail } = entry as PerformanceEntry & { detail: { flags: number } };
  return (detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0;
}
