import { describe, expect, test } from "@jest/globals";
import { storeTree, type TreeShape } from "../../test/fixtures/cas-tree.js";
import { InMemoryContentAddressableStorage } from "../cas/index.js";
import { Digest, parseInstanceName } from "../digest/index.js";
import { mergeTrees, readDirectory } from "./index.js";

const context = { instanceName: parseInstanceName("") };

async function load(
  cas: InMemoryContentAddressableStorage,
  digest: Digest,
): Promise<TreeShape> {
  const { directory } = await readDirectory(cas, digest, context);
  const shape: Record<string, string | TreeShape> = {};
  for (const { name, digest: content } of directory.files) {
    const read = Digest.fromProto(content, "file");
    shape[name] = (await cas.read(read)).toString();
  }
  for (const { name, target } of directory.symlinks) {
    shape[name] = `-> ${target}`;
  }
  for (const { name, digest: child } of directory.directories) {
    shape[name] = await load(cas, Digest.fromProto(child, "directory"));
  }
  return shape;
}

async function merge(...shapes: TreeShape[]): Promise<TreeShape> {
  const cas = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 2 ** 24,
  });
  const roots = await Promise.all(shapes.map((shape) => storeTree(cas, shape)));
  return load(cas, (await mergeTrees(cas, roots, context)).root);
}

describe("mergeTrees()", () => {
  test("mergeTrees() merges directories and lets later trees win", async () => {
    expect(
      await merge(
        { usr: { bin: { sh: "base", ls: "base" }, lib: "-> lib64" }, a: "1" },
        { usr: { bin: { sh: "later", cc: "later" } }, b: "2" },
      ),
    ).toEqual({
      a: "1",
      b: "2",
      usr: { bin: { sh: "later", ls: "base", cc: "later" }, lib: "-> lib64" },
    });
  });

  test.each<[string, TreeShape, TreeShape, TreeShape]>([
    ["a file over a directory", { a: { b: "1" } }, { a: "2" }, { a: "2" }],
    [
      "a directory over a file",
      { a: "2" },
      { a: { b: "1" } },
      { a: { b: "1" } },
    ],
    ["a symlink over a file", { a: "1" }, { a: "-> b" }, { a: "-> b" }],
    [
      "a directory over a symlink, which is not followed",
      { lib: "-> usr/lib", usr: { lib: { a: "1" } } },
      { lib: { b: "2" } },
      { lib: { b: "2" }, usr: { lib: { a: "1" } } },
    ],
  ])("mergeTrees() puts %s", async (_what, below, above, merged) => {
    expect(await merge(below, above)).toEqual(merged);
  });

  test("mergeTrees() forgets what lay beneath a file between directories", async () => {
    expect(
      await merge({ a: { old: "1" } }, { a: "file" }, { a: { new: "2" } }),
    ).toEqual({ a: { new: "2" } });
  });

  test("mergeTrees() gives a tree back that is merged with itself or its part", async () => {
    const cas = new InMemoryContentAddressableStorage({
      maximumSizeBytes: 2 ** 24,
    });
    const whole = await storeTree(cas, { usr: { a: "1", b: "2" }, etc: "3" });
    const part = await storeTree(cas, { usr: { a: "1" } });
    const same = { root: whole, made: [] };
    expect(await mergeTrees(cas, [whole, whole], context)).toEqual(same);
    expect(await mergeTrees(cas, [whole, part], context)).toEqual(same);
    expect(await mergeTrees(cas, [part, whole], context)).toEqual(same);
  });

  test("mergeTrees() reads only what the trees have in common", async () => {
    const cas = new InMemoryContentAddressableStorage({
      maximumSizeBytes: 2 ** 24,
    });
    const base = await storeTree(cas, {
      deep: { er: { a: "1" } },
      opt: { x: "1" },
    });
    const tools = await storeTree(cas, { tools: { t: "1" }, opt: { y: "2" } });
    const read: string[] = [];
    const counting: typeof cas.read = async (digest) => {
      read.push(digest.key);
      return cas.read(digest);
    };
    const spy = Object.assign(Object.create(cas), {
      read: counting,
      write: cas.write.bind(cas),
    });
    await mergeTrees(spy, [base, tools], context);
    expect(read).toHaveLength(4); // two roots, two directories "opt"
  });
});
