import { execFileSync } from "node:child_process";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ActionResult } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  type ContentAddressableStorage,
  InMemoryContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../../lib/digest/index.js";
import { decodeDirectory } from "../../../lib/merkle-tree/index.js";
import { Code } from "../../../lib/status/index.js";
import { listOutputs, saveOutputs } from "./save-outputs-file.js";
import { uploadDirectory } from "./upload-directory-file.js";

const context = { instanceName: parseInstanceName("") };
let folder: string;
let cas: ContentAddressableStorage;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-run-"));
  cas = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 2 ** 20,
  });
});
afterEach(() => rm(folder, { recursive: true }));

test("uploadDirectory() keeps files, modes, links and empty folders", async () => {
  await mkdir(join(folder, "in/empty"), { recursive: true });
  await writeFile(join(folder, "in/script"), "#!/bin/sh\n");
  await chmod(join(folder, "in/script"), 0o755);
  await writeFile(join(folder, "in/data"), "abc");
  await symlink("data", join(folder, "in/link"));
  const digest = await uploadDirectory(join(folder, "in"), cas, context);
  const root = decodeDirectory(digest, await cas.read(digest, context));
  expect(
    root.files.map(({ name, isExecutable }) => [name, isExecutable]),
  ).toEqual([
    ["data", false],
    ["script", true],
  ]);
  expect(root.directories.map(({ name }) => name)).toEqual(["empty"]);
  expect(root.symlinks.map(({ name, target }) => [name, target])).toEqual([
    ["link", "data"],
  ]);
  const data = Digest.fromProto(root.files[0]?.digest, "digest");
  expect(String(await cas.read(data, context))).toBe("abc");
});

test("uploadDirectory() refuses what is no input", async () => {
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await expect(uploadDirectory(folder, cas, context)).rejects.toMatchObject({
    code: Code.InvalidArgument,
    message: `"${folder}/pipe" is neither file, directory nor symbolic link, and cannot be an input`,
  });
});

test("saveOutputs() writes files before links, and never through one", async () => {
  const digest = await cas.write(Buffer.from("x"), context);
  await mkdir(join(folder, "victim"));
  const result = ActionResult.fromPartial({
    outputFiles: [
      { path: "a/file", digest: digest.toProto(), isExecutable: true },
    ],
    outputSymlinks: [{ path: "l", target: join(folder, "victim") }],
  });
  const outputs = await listOutputs(result, cas, context);
  await saveOutputs(
    [...outputs, { type: "file", path: "l/pwn", digest, isExecutable: false }],
    join(folder, "out"),
    cas,
    context,
  ).catch(() => {}); // a link where a folder is: refused by the kernel
  expect(await readFile(join(folder, "out/a/file"), "utf8")).toBe("x");
  expect((await stat(join(folder, "out/a/file"))).mode & 0o777).toBe(0o755);
  await expect(stat(join(folder, "victim/pwn"))).rejects.toThrow("ENOENT");
});

test("saveOutputs() makes empty folders", async () => {
  await saveOutputs([{ type: "directory", path: "d/e" }], folder, cas, context);
  expect((await stat(join(folder, "d/e"))).isDirectory()).toBe(true);
});

test("saveOutputs() leaves nothing of a file that was broken off", async () => {
  await writeFile(join(folder, "f"), "before");
  const stopped = new AbortController();
  const broken: ContentAddressableStorage = Object.assign(Object.create(cas), {
    open: async function* () {
      yield Buffer.from("half");
      stopped.abort();
      yield Buffer.from("never");
    },
  });
  const digest = Digest.of(Buffer.from("halfnever"));
  await expect(
    saveOutputs(
      [{ type: "file", path: "f", digest, isExecutable: false }],
      folder,
      broken,
      { ...context, signal: stopped.signal },
    ),
  ).rejects.toMatchObject({ code: Code.Cancelled });
  expect(await readdir(folder)).toEqual(["f"]);
  expect(await readFile(join(folder, "f"), "utf8")).toBe("before");
});

test("saveOutputs() names the flag when something is in the way", async () => {
  await mkdir(join(folder, "f"));
  const digest = await cas.write(Buffer.from("x"), context);
  await expect(
    saveOutputs(
      [{ type: "file", path: "f", digest, isExecutable: false }],
      folder,
      cas,
      context,
    ),
  ).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: `"${folder}/f" is a folder where a file is meant: choose another path by --output-folder`,
  });
  for (const place of ["/proc/x/y", "/etc/passwd/x"]) {
    await expect(
      saveOutputs([{ type: "directory", path: "d" }], place, cas, context),
    ).rejects.toMatchObject({
      message: expect.stringContaining(
        "choose another path by --output-folder",
      ),
    });
  }
});

test("saveOutputs() makes links as they were", async () => {
  await saveOutputs(
    [{ type: "symlink", path: "d/l", target: "../nowhere" }],
    folder,
    cas,
    context,
  );
  expect(await readlink(join(folder, "d/l"))).toBe("../nowhere");
});
