import { describe, expect, test } from "@jest/globals";
import { InMemoryContentAddressableStorage } from "../cas/index.js";
import { Digest, parseInstanceName } from "../digest/index.js";
import { encodeDirectory, walkTree } from "./index.js";

const context = { instanceName: parseInstanceName("") };

/** Stores a Directory with these directories and one file. */
async function store(
  cas: InMemoryContentAddressableStorage,
  children: Readonly<Record<string, Digest>>,
): Promise<Digest> {
  const { data } = encodeDirectory({
    files: [
      {
        name: "file",
        digest: Digest.of(Buffer.from(Object.keys(children).join())).toProto(),
        isExecutable: false,
        nodeProperties: undefined,
      },
    ],
    directories: Object.entries(children).map(([name, digest]) => ({
      name,
      digest: digest.toProto(),
    })),
  });
  return cas.write(data);
}

async function keysOf(
  cas: InMemoryContentAddressableStorage,
  root: Digest,
  options: Partial<Parameters<typeof walkTree>[2]> = {},
): Promise<string[]> {
  const keys: string[] = [];
  for await (const { digest } of walkTree(cas, root, { context, ...options })) {
    keys.push(digest.key);
  }
  return keys;
}

describe("walkTree()", () => {
  test("walkTree() gives each different Directory once, parents first", async () => {
    const cas = new InMemoryContentAddressableStorage({
      maximumSizeBytes: 2 ** 24,
    });
    const leaf = await store(cas, {});
    const middle = await store(cas, { leaf, same: leaf });
    const root = await store(cas, { a: middle, b: leaf, c: middle });
    expect(await keysOf(cas, root)).toEqual([root.key, middle.key, leaf.key]);
  });

  test("walkTree() leaves out what the caller knows", async () => {
    const cas = new InMemoryContentAddressableStorage({
      maximumSizeBytes: 2 ** 24,
    });
    const leaf = await store(cas, {});
    const middle = await store(cas, { leaf });
    const root = await store(cas, { middle });
    const skip = (digest: Digest) => digest.equals(middle);
    expect(await keysOf(cas, root, { skip })).toEqual([root.key]);
  });

  test("walkTree() names a Directory that is missing", async () => {
    const cas = new InMemoryContentAddressableStorage({
      maximumSizeBytes: 2 ** 24,
    });
    const gone = Digest.of(Buffer.from("gone"));
    const root = await store(cas, { gone });
    await expect(keysOf(cas, root)).rejects.toMatchObject({
      message: `At "gone": Failed to read Directory "${gone}": Blob "${gone}" not found`,
    });
  });

  test("walkTree() stops at its limits", async () => {
    const cas = new InMemoryContentAddressableStorage({
      maximumSizeBytes: 2 ** 24,
    });
    const leaf = await store(cas, {});
    const root = await store(cas, { a: leaf, b: await store(cas, { leaf }) });
    const limited = (limits: { directories: number; nodes: number }) =>
      keysOf(cas, root, { limits });
    await expect(limited({ directories: 2, nodes: 9 })).rejects.toMatchObject({
      message: "Tree in CAS must have at most 2 directories",
    });
    await expect(limited({ directories: 9, nodes: 3 })).rejects.toMatchObject({
      message: "Tree in CAS must have at most 3 nodes",
    });
  });
});
