import { describe, expect, test } from "@jest/globals";
import { storeTree } from "../../test/fixtures/cas-tree.js";
import { InMemoryContentAddressableStorage } from "../cas/index.js";
import { type Digest, parseInstanceName } from "../digest/index.js";
import { Code } from "../status/index.js";
import { encodeDirectory, type ListTreeOptions, listTree } from "./index.js";

const context = { instanceName: parseInstanceName("") };
const cas = new InMemoryContentAddressableStorage({
  maximumSizeBytes: 2 ** 26,
});

async function list(
  root: Digest,
  options: Partial<ListTreeOptions> = {},
): Promise<string[]> {
  const lines: string[] = [];
  for await (const each of listTree(cas, root, { context, ...options })) {
    lines.push(`${each.node.type} ${each.path}`);
  }
  return lines;
}

describe("listTree()", () => {
  test("listTree() gives each path in order, directories before their content", async () => {
    const root = await storeTree(cas, {
      b: { z: "1", a: { deep: "2" } },
      "b.txt": "3",
      a: "-> b",
    });
    expect(await list(root)).toEqual([
      "directory ",
      "symlink a",
      "directory b",
      "directory b/a",
      "file b/a/deep",
      "file b/z",
      "file b.txt",
    ]);
    expect(await list(root, { isRecursive: false, path: "x" })).toEqual([
      "directory x",
      "symlink x/a",
      "directory x/b",
      "file x/b.txt",
    ]);
  });

  test("listTree() gives many directories in order, read ahead", async () => {
    const names = Array.from({ length: 200 }, (_, at) => `d${1000 + at}`);
    const shape = Object.fromEntries(names.map((name) => [name, { f: name }]));
    const root = await storeTree(cas, shape);
    expect(await list(root)).toEqual([
      "directory ",
      ...names.flatMap((name) => [`directory ${name}`, `file ${name}/f`]),
    ]);
  });

  test("listTree() ends for trees that nobody could write", async () => {
    let root = await storeTree(cas, { file: "" });
    for (let level = 0; level < 300; level++) {
      const digest = root.toProto();
      const { data } = encodeDirectory({
        directories: [{ name: "d", digest }],
      });
      root = await cas.write(data);
    }
    await expect(list(root)).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: "Tree in CAS must have at most 256 levels",
    });
  });

  test("listTree() names a Directory that CAS does not have", async () => {
    const missing = encodeDirectory({}).digest.toProto();
    const gone = { ...missing, sizeBytes: 7 };
    const { data } = encodeDirectory({
      directories: [{ name: "d", digest: gone }],
    });
    await expect(list(await cas.write(data))).rejects.toMatchObject({
      code: Code.NotFound,
      message: expect.stringContaining(
        `Failed to read Directory "${gone.hash}`,
      ),
    });
  });
});
