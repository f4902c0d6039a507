import { describe, expect, test } from "@jest/globals";
import {
  countReads,
  storeTree,
  type TreeShape,
} from "../../test/fixtures/cas-tree.js";
import { InMemoryContentAddressableStorage } from "../cas/index.js";
import { parseInstanceName } from "../digest/index.js";
import { diffTrees, type TreeNode } from "./index.js";

const context = { instanceName: parseInstanceName("") };

function describeNode(node: TreeNode | undefined): string {
  if (node === undefined) return "nothing";
  if (node.type === "symlink") return `-> ${node.target}`;
  if (node.type === "directory") return "directory";
  return `${node.isExecutable ? "executable" : "file"} ${node.digest.sizeBytes}`;
}

async function diff(
  one: TreeShape,
  other: TreeShape,
  mtimes: readonly [number, number] = [0, 0],
): Promise<{ lines: string[]; reads: number }> {
  const memory = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 2 ** 26,
  });
  const before = await storeTree(memory, one, mtimes[0]);
  const after = await storeTree(memory, other, mtimes[1]);
  const { cas, reads } = countReads(memory);
  const lines: string[] = [];
  for await (const each of diffTrees(cas, { before, after }, context)) {
    const nodes = [each.before, each.after].map(describeNode).join(", ");
    lines.push(`${each.path}: ${nodes}`);
  }
  return { lines, reads: reads.length };
}

const unchanged = { lib: { a: "1", deep: { er: "2" } }, bin: "-> usr/bin" };

describe("diffTrees()", () => {
  test("diffTrees() reads nothing of equal trees", async () => {
    expect(await diff(unchanged, unchanged)).toEqual({ lines: [], reads: 0 });
  });

  test("diffTrees() gives what came, went and changed", async () => {
    const { lines } = await diff(
      { a: "old", c: "same", d: "12", gone: "-> x", t: "plain", l: "-> 1" },
      { a: "newer", b: "", c: "same", d: "#!", t: "-> plain", l: "-> 2" },
    );
    expect(lines).toEqual([
      "a: file 3, file 5",
      "b: nothing, file 0",
      "d: file 2, executable 2",
      "gone: -> x, nothing",
      "l: -> 1, -> 2",
      "t: file 5, -> plain",
    ]);
  });

  test("diffTrees() reads only directories that differ", async () => {
    const one = { usr: { ...unchanged, etc: { x: "1" } }, opt: unchanged };
    const other = { usr: { ...unchanged, etc: { x: "2" } }, opt: unchanged };
    expect(await diff(one, other)).toEqual({
      lines: ["usr/etc/x: file 1, file 1"],
      reads: 6, // the roots, usr and usr/etc, of both
    });
  });

  test("diffTrees() lists all of a directory that came, went or changed its type", async () => {
    const { lines, reads } = await diff(
      { gone: { a: { b: "1" } }, turned: { c: "2" }, file: "3" },
      { come: { d: "4" }, turned: "-> c", file: { e: "5" } },
    );
    expect(lines).toEqual([
      "come: nothing, directory",
      "come/d: nothing, file 1",
      "file: file 1, directory",
      "file/e: nothing, file 1",
      "gone: directory, nothing",
      "gone/a: directory, nothing",
      "gone/a/b: file 1, nothing",
      "turned: directory, -> c",
      "turned/c: file 1, nothing",
    ]);
    expect(reads).toBe(2 + 1 + 1 + 2 + 1);
  });

  test("diffTrees() sees modes and times, of directories too", async () => {
    const { lines } = await diff({ d: { f: "1" } }, { d: { f: "1" } }, [1, 2]);
    expect(lines).toEqual([
      ": directory, directory",
      "d: directory, directory",
      "d/f: file 1, file 1",
    ]);
  });
});
