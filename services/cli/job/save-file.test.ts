import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import { saveFile } from "./save-file.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-save-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function* bytes(...parts: (string | Error)[]) {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield Buffer.from(part);
  }
}

test("saveFile() replaces a file by all of another, or leaves it", async () => {
  const path = join(folder, "a");
  await saveFile(path, bytes("one"));
  await saveFile(path, bytes("t", "wo"));
  const broken = saveFile(path, bytes("three", new Error("broken")));
  await expect(broken).rejects.toThrow("broken");
  expect(await readFile(path, "utf8")).toBe("two");
  expect(await readdir(folder)).toEqual(["a"]);
});

test("saveFile() names the flag for a place where no file can be", async () => {
  await expect(saveFile("/proc/x", bytes("a"))).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: expect.stringContaining("choose another path by --output"),
  });
});
