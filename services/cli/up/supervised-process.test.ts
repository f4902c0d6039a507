import { expect, test } from "@jest/globals";
import {
  type SupervisedProcess,
  superviseProcess,
} from "./supervised-process.js";

test("superviseProcess() hands on lines, and starts again what ended", async () => {
  const lines: string[] = [];
  const reasons: string[] = [];
  await new Promise<void>((resolve) => {
    const supervised = superviseProcess({
      name: "x",
      command: ["/bin/sh", "-c", "echo a >&2; printf b >&2; exit 3"],
      onLine: (line) => lines.push(line),
      onRestart: (why, delayMs) => {
        reasons.push(`${why}, ${delayMs}`);
        if (reasons.length === 2) void supervised.stop(1_000).then(resolve);
      },
    });
  });
  expect(lines).toEqual(["a", "b", "a", "b"]);
  expect(reasons).toEqual(["exit status 3, 200", "exit status 3, 400"]);
});

test("superviseProcess() stops with SIGKILL what ignores SIGTERM", async () => {
  const supervised = await new Promise<SupervisedProcess>((resolve) => {
    const starting = superviseProcess({
      name: "x",
      command: [
        "/bin/sh",
        "-c",
        "trap '' TERM; echo up >&2; while :; do sleep 1; done",
      ],
      onLine: () => resolve(starting),
      onRestart: () => {
        throw new Error("stopping is no reason to start again");
      },
    });
  });
  const before = Date.now();
  await supervised.stop(100);
  expect(Date.now() - before).toBeLessThan(10_000);
});
