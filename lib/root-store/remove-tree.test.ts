import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { removeTree } from "./remove-tree.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-remove-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

describe("removeTree()", () => {
  test("removeTree() removes names of any bytes, and follows no link", () => {
    const kept = join(folder, "kept");
    mkdirSync(kept);
    writeFileSync(join(kept, "file"), "kept");
    const tree = join(folder, "tree");
    const odd = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xe9])]);
    mkdirSync(tree);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from("/\xff", "latin1")]), "x");
    symlinkSync(kept, join(tree, "link"));
    removeTree(tree);
    expect(existsSync(tree)).toBe(false);
    expect(readFileSync(join(kept, "file"), "utf8")).toBe("kept");
  });

  test("removeTree() removes a file, and takes nothing for done", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    removeTree(file);
    removeTree(file);
    expect(existsSync(file)).toBe(false);
  });
});
