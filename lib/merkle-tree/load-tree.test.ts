import { beforeEach, describe, expect, test } from "@jest/globals";
import { Directory } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { storeCasTree } from "../../test/fixtures/stored-tree.js";
import { InMemoryContentAddressableStorage } from "../cas/index.js";
import { Digest, parseInstanceName } from "../digest/index.js";
import { Code } from "../status/index.js";
import { expandTree, loadTree } from "./index.js";

const context = { instanceName: parseInstanceName("") };
let cas: InMemoryContentAddressableStorage;

beforeEach(() => {
  cas = new InMemoryContentAddressableStorage({ maximumSizeBytes: 2 ** 28 });
});

/** Stores Directories that hold the one before under these names. */
async function storeChain(levels: number, names: string[]): Promise<Digest> {
  let digest = await cas.write(Buffer.alloc(0));
  for (let level = 0; level < levels; level++) {
    const child = digest.toProto();
    const directories = names.map((name) => ({ name, digest: child }));
    const message = Directory.fromPartial({ directories });
    digest = await cas.write(Directory.encode(message).finish());
  }
  return digest;
}

describe("loadTree()", () => {
  test("loadTree() and expandTree() give every path, and each Directory once", async () => {
    const leaf = { file: "1234", "\u00e9": { link: "to" } };
    const root = await storeCasTree(
      cas,
      { a: { directory: leaf }, b: { directory: leaf }, c: "12" },
      context,
    );
    const tree = await loadTree(cas, root, { context });
    expect(tree.directories.size).toBe(2);
    expect(tree.totals).toEqual({
      entries: 7,
      depth: 2,
      longestPathBytes: "a/file".length,
      nameBytes: "abc".length + 2 * "a/file".length + 2 * (4 + 2),
      contentBytes: 4 + 4 + 2,
    });
    expect([...expandTree(tree)].map(({ path }) => path)).toEqual([
      ...["", "c"],
      ...["a", "a/file", "a/\u00e9"],
      ...["b", "b/file", "b/\u00e9"],
    ]);
  });

  test("loadTree() counts a tree of 10^30 paths without making one", async () => {
    const root = await storeChain(30, [..."0123456789"]);
    await expect(loadTree(cas, root, { context })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringMatching(
        /^Tree in CAS must have at most 2000000 paths: current value is 1\.1+\d*e\+30, see "(0\/){22}0"$/,
      ),
    });
  });

  test("loadTree() goes no deeper than it may", async () => {
    const deep = await storeChain(10_000, ["d"]);
    const reads: Digest[] = [];
    const { read } = cas;
    cas.read = (digest) => {
      reads.push(digest);
      return read.call(cas, digest);
    };
    await expect(loadTree(cas, deep, { context })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringMatching(
        /^At "(d\/){100}"…: Tree in CAS must have at most 256 levels$/,
      ),
    });
    expect(reads.length).toBe(257);
  });

  test("loadTree() sees the longer way to a Directory", async () => {
    // From the root, both ways lead to the same chain: one is 200 longer.
    const chain = await storeChain(100, ["d"]);
    let long = chain;
    for (let level = 0; level < 200; level++) {
      const message = Directory.fromPartial({
        directories: [{ name: "l", digest: long.toProto() }],
      });
      long = await cas.write(Directory.encode(message).finish());
    }
    const root = await storeCasTree(
      cas,
      { long: { missingDirectory: long }, short: { missingDirectory: chain } },
      context,
    );
    await expect(loadTree(cas, root, { context })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringMatching(
        /^Tree in CAS must have at most 256 levels: current value is 301, see "long\/l/,
      ),
    });
  });

  test("loadTree() refuses a Directory that is too large by its digest alone", async () => {
    const names = Array.from(
      { length: 300_000 },
      (_, index) => `file-${index}`,
    );
    const digest = Digest.of(Buffer.from("content")).toProto();
    const files = names.sort().map((name) => ({ name, digest }));
    const data = Directory.encode(Directory.fromPartial({ files })).finish();
    const large = Digest.of(data);
    const root = await storeCasTree(
      cas,
      { usr: { directory: { lib: { missingDirectory: large } } } },
      context,
    );
    await expect(loadTree(cas, root, { context })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: `At "usr/lib": Directory "${large}" must have at most 16777216 bytes`,
    });
  });

  test("loadTree() names the path of a Directory that is missing", async () => {
    const gone = Digest.of(Buffer.from("gone"));
    const root = await storeCasTree(
      cas,
      { a: { directory: { b: { missingDirectory: gone } } } },
      context,
    );
    await expect(loadTree(cas, root, { context })).rejects.toMatchObject({
      code: Code.NotFound,
      message: `At "a/b": Failed to read Directory "${gone}": Blob "${gone}" not found`,
    });
  });

  test.each([".", "..", "", "a/b", "a\0b", "n".repeat(256)])(
    "loadTree() refuses the name %j",
    async (name) => {
      const root = await storeChain(1, [name]);
      await expect(loadTree(cas, root, { context })).rejects.toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringContaining("must be one path component"),
      });
    },
  );

  test("loadTree() bounds the content, which equal files count to each", async () => {
    const root = await storeCasTree(
      cas,
      { a: { directory: { b: "12345", c: "12345" } }, d: "1" },
      context,
    );
    const limits = { contentBytes: 10 };
    await expect(
      loadTree(cas, root, { context, limits }),
    ).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message:
        'Tree in CAS must have at most 10 bytes in its files: current value is 11, see ""',
    });
  });
});
