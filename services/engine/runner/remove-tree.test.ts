import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { removeTree } from "./remove-tree.js";

let directory: string;
let victims: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "remove-tree-"));
  victims = join(directory, "victims");
  mkdirSync(victims);
  for (let n = 0; n < 20; n++) writeFileSync(join(victims, `${n}`), "");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Puts directory and symlink in each other's place as fast as it can. */
async function startExchanging(tree: string): Promise<ChildProcess> {
  const script = `chdir $ARGV[0]; $| = 1; print "begun";
    while (1) { rename "d", "h"; symlink $ARGV[1], "d"; unlink "d";
      rename "h", "d"; mkdir "d"; mkdir "h" }`;
  const child = spawn("perl", ["-e", script, tree, victims], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

test("removeTree() follows no symlink that somebody exchanges for a directory", async () => {
  for (let round = 0; round < 60; round++) {
    const tree = join(directory, "tree");
    mkdirSync(join(tree, "d"), { recursive: true });
    for (let n = 0; n < 20; n++) writeFileSync(join(tree, "d", `${n}`), "");
    const other = await startExchanging(tree);
    // Whether it comes to an end is theirs to hinder.
    await removeTree(tree).catch(() => {});
    other.kill("SIGKILL");
    await once(other, "close");
    expect(readdirSync(victims)).toHaveLength(20);
    if (existsSync(tree)) await removeTree(tree);
    expect(existsSync(tree)).toBe(false);
  }
});

test("removeTree() removes a tree of any depth, and names that are no text", async () => {
  const tree = join(directory, "tree");
  const script = `mkdir "$1" && cd "$1" && for i in $(seq 300); do
      mkdir -p d e && : > "$(printf '\\377')" && cd -P d; done`;
  const child = spawn("sh", ["-c", script, "sh", tree]);
  await once(child, "close");
  await removeTree(tree);
  expect(existsSync(tree)).toBe(false);
});
