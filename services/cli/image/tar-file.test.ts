import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import { asNobody } from "../../../test/fixtures/as-nobody.js";
import { withTarFile } from "./tar-file.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-tar-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("withTarFile() leaves what was written whole, or nothing", async () => {
  const path = join(folder, "x.tar");
  await withTarFile(path, (output) => output.write("all of it"));
  expect(readFileSync(path, "utf8")).toBe("all of it");
  const broken = withTarFile(path, async (output) => {
    await output.write("a part");
    throw new Error("away");
  });
  await expect(broken).rejects.toThrow(/^Failed to write ".*x.tar": .*/);
  expect(readdirSync(folder)).toEqual(["x.tar"]);
  expect(readFileSync(path, "utf8")).toBe("all of it");
});

test("withTarFile() says by the file's own name that it may not be written", async () => {
  const path = join(folder, "none", "x.tar");
  await expect(withTarFile(path, async () => {})).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: `"${path}" does not exist, or cannot be made there: choose another path`,
  });
});

test("withTarFile() says that another user's folder may not be used", async () => {
  const path = join(folder, "x.tar");
  chmodSync(folder, 0o500); // for the folder's owner, where that is who tests
  const writing = asNobody(() => withTarFile(path, async () => {}));
  await expect(writing).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: `"${path}" may not be used by this user: choose another path`,
  });
});
