import { expect, test } from "@jest/globals";
import { collectGarbage } from "./collect-garbage.js";

const large = 64 * 2 ** 20;

test("collectGarbage() frees buffers after a large tree, and leaves a small one's", () => {
  const buffers = () => process.memoryUsage().arrayBuffers;
  const before = buffers();
  Array.from({ length: 64 }, () => Buffer.alloc(large / 64, 1));
  collectGarbage(29_999);
  expect(buffers()).toBeGreaterThan(before + large / 2);
  collectGarbage(30_000);
  expect(buffers()).toBeLessThan(before + large / 2);
});
