import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  Directory,
  type FileNode,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  type Fault,
  FaultyContentAddressableStorage,
  InMemoryContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../../lib/digest/index.js";
import { Code } from "../../../lib/status/index.js";
import { storeTree } from "../../../test/fixtures/cas-tree.js";
import { exportTreeToFolder } from "./tree-folder-writer.js";

const context = { instanceName: parseInstanceName("") };
let folder: string;
let victim: string;
let to: string;
let faults: Map<string, Fault>;
let cas: FaultyContentAddressableStorage;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-export-"));
  victim = join(folder, "victim");
  to = join(folder, "to");
  mkdirSync(victim);
  faults = new Map();
  cas = new FaultyContentAddressableStorage(
    new InMemoryContentAddressableStorage({ maximumSizeBytes: 2 ** 26 }),
    faults,
  );
});
afterEach(() => {
  expect(readdirSync(victim)).toEqual([]);
  rmSync(folder, { recursive: true });
});

const run = (rootDigest: Digest) =>
  exportTreeToFolder({ cas, rootDigest, context }, to);

const large = "x".repeat(2_000_000);
const shape = { bin: { sh: "#!", l: "-> /bin/sh" }, large, empty: {} };

describe("exportTreeToFolder()", () => {
  test("exportTreeToFolder() writes files, links, modes and times", async () => {
    const totals = await run(await storeTree(cas, shape, 1_600_000_000));
    expect(totals).toEqual({
      ...{ files: 2, directories: 3, links: 1, bytes: 2 + large.length },
    });
    expect(readFileSync(join(to, "large"), "utf8")).toBe(large);
    expect(readlinkSync(join(to, "bin/l"))).toBe("/bin/sh");
    for (const [path, mode] of [
      ["bin/sh", 0o755],
      ["large", 0o644],
      ["empty", 0o755],
      ["bin", 0o755],
      ["", 0o755],
    ] as const) {
      const stats = lstatSync(join(to, path));
      expect(stats.mode & 0o7777).toBe(mode);
      expect(stats.mtimeMs).toBe(1_600_000_000_000);
    }
  });

  test("exportTreeToFolder() takes an empty folder, and no other", async () => {
    mkdirSync(to);
    const root = await storeTree(cas, shape);
    await run(root);
    await expect(run(root)).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: `Folder "${to}" must be new or empty: it holds "bin"`,
    });
    expect(readdirSync(to)).toEqual(["bin", "empty", "large"]);
  });

  test("exportTreeToFolder() follows no link of a tree", async () => {
    const root = await storeTree(cas, {
      a: `-> ${victim}`,
      b: { "..x": "1", up: "-> ../../victim", file: "2" },
    });
    await run(root);
    expect(readlinkSync(join(to, "a"))).toBe(victim);
  });

  test.each([
    ["a name twice", ["x", "x"]],
    ["a way up", ["../victim/x"]],
    ["a way out", [".."]],
  ])("exportTreeToFolder() refuses a tree with %s", async (_, names) => {
    const content = await cas.write(Buffer.from("loot"), context);
    const files: FileNode[] = names.map((name) => ({
      name,
      digest: content.toProto(),
      isExecutable: false,
      nodeProperties: undefined,
    }));
    const symlinks = [{ name: "x", target: victim, nodeProperties: undefined }];
    const bad = Directory.fromPartial({ files, symlinks });
    const data = Buffer.from(Directory.encode(bad).finish());
    await expect(run(await cas.write(data, context))).rejects.toMatchObject({
      code: Code.InvalidArgument,
    });
    expect(() => lstatSync(to)).toThrow("ENOENT");
  });

  test("exportTreeToFolder() leaves nothing when a file is missing", async () => {
    const root = await storeTree(cas, shape);
    faults.set(Digest.of(Buffer.from("#!")).key, { type: "missing" });
    const failed = {
      code: Code.NotFound,
      message: expect.stringMatching(
        /^Failed to export to ".*", nothing is left there: "\/bin\/sh": Blob /,
      ),
    };
    await expect(run(root)).rejects.toMatchObject(failed);
    expect(() => lstatSync(to)).toThrow("ENOENT");
    mkdirSync(to);
    await expect(run(root)).rejects.toMatchObject(failed);
    expect(readdirSync(to)).toEqual([]);
  });

  test("exportTreeToFolder() ends when it is interrupted, and leaves nothing", async () => {
    const root = await storeTree(cas, shape);
    const signal = AbortSignal.abort();
    await expect(
      exportTreeToFolder(
        { cas, rootDigest: root, context: { ...context, signal } },
        to,
      ),
    ).rejects.toMatchObject({ code: Code.Cancelled });
    expect(() => lstatSync(to)).toThrow("ENOENT");
    writeFileSync(to, "");
    await expect(run(root)).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
  });
});

test("exportTreeToFolder() says that a folder cannot be made", async () => {
  const rootDigest = await storeTree(cas, { file: "x" });
  const at = join(folder, "none", "to");
  await expect(
    exportTreeToFolder({ cas, rootDigest, context }, at),
  ).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: `"${at}" does not exist, or cannot be made there: choose another path`,
  });
});
