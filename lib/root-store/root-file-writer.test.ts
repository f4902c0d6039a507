import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type {
  DirectoryNode,
  FileNode,
  ImageNode,
  ImageTree,
} from "../image-tree/index.js";
import { Code } from "../status/index.js";
import { RootFileWriter } from "./root-file-writer.js";
import { contentPath, storeLayout, trashName } from "./store-layout.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-writer-"));
  for (const name of ["files", "files/aa", "tmp"]) {
    mkdirSync(join(folder, name));
  }
});

afterEach(() => rmSync(folder, { recursive: true }));

const file: FileNode = {
  type: "file",
  sha256: "a".repeat(64),
  sizeBytes: 4,
  mode: 0o644,
  mtimeSeconds: 7,
  linkGroup: undefined,
};

function directory(children: Record<string, ImageNode>): DirectoryNode {
  return {
    ...{ type: "directory", mode: 0o755, mtimeSeconds: 9 },
    children: new Map(Object.entries(children)),
  };
}

function treeOf(root: DirectoryNode): ImageTree {
  const totals = { files: 0, directories: 0, symlinks: 0, sizeBytes: 0 };
  const dropped = { devices: 0, fifos: 0, xattrs: 0, setIds: 0, aufs: 0 };
  return { root, totals, dropped };
}

function write(children: Record<string, ImageNode>): RootFileWriter {
  const writer = new RootFileWriter({
    layout: storeLayout(folder),
    tmp: join(folder, "tmp"),
    owner: undefined,
    allowance: { take: () => {}, giveBack: () => {} }, // no limit
  });
  writer.write(treeOf(directory(children)), join(folder, "root"));
  return writer;
}

/** Puts the content of `file` into the store. */
function storeContent(): string {
  const path = join(folder, "files", contentPath(file));
  writeFileSync(path, "data");
  return path;
}

function inode(path: string): number {
  return lstatSync(join(folder, path)).ino;
}

describe("RootFileWriter", () => {
  test("RootFileWriter links a group to one inode, and other files to others", () => {
    storeContent();
    const linked = { ...file, linkGroup: 1 };
    const writer = write({
      ...{ a: linked, b: linked, c: file, d: file },
      e: directory({ f: linked }),
    });
    expect(inode("root/b")).toBe(inode("root/a"));
    expect(inode("root/e/f")).toBe(inode("root/a"));
    const inodes = ["a", "c", "d"].map((name) => inode(`root/${name}`));
    expect(new Set(inodes).size).toBe(3);
    expect(readFileSync(join(folder, "root/d"), "utf8")).toBe("data");
    expect(lstatSync(join(folder, "root/d")).mtimeMs).toBe(7_000);
    expect(writer.stored).toEqual({ bytes: 8, inodes: 2 });
    expect(writer.missing).toEqual([]);
  });

  test("RootFileWriter uses variants that an earlier root made", () => {
    storeContent();
    write({ a: file, b: file });
    renameSync(join(folder, "root"), join(folder, "earlier"));
    const writer = write({ a: file, b: file });
    expect(inode("root/b")).toBe(inode("earlier/b"));
    expect(writer.stored).toEqual({ bytes: 0, inodes: 0 });
  });

  test("RootFileWriter goes on with another inode when one has all its links", () => {
    const path = storeContent();
    mkdirSync(join(folder, "many"));
    const fill = () => {
      for (let link = 0; ; link++) linkSync(path, join(folder, `many/${link}`));
    };
    expect(fill).toThrow("EMLINK");
    write({ a: file, b: { ...file, linkGroup: 1 } });
    expect(inode("root/a")).not.toBe(lstatSync(path).ino);
    expect(inode("root/b")).not.toBe(inode("root/a"));
    expect(readFileSync(join(folder, "root/b"), "utf8")).toBe("data");
  }, 60_000);

  test("RootFileWriter brings back what is in the trash", () => {
    const path = storeContent();
    const trash = join(folder, "tmp/trash-1");
    mkdirSync(trash);
    renameSync(path, join(trash, trashName(contentPath(file))));
    const writer = write({ a: file, b: file });
    rmSync(trash, { recursive: true });
    expect(writer.missing).toEqual([]);
    expect(readFileSync(path, "utf8")).toBe("data");
    expect(readFileSync(join(folder, "root/b"), "utf8")).toBe("data");
  });

  test("RootFileWriter tells which files the store lacks", () => {
    storeContent();
    const lacking = { ...file, mtimeSeconds: 8 };
    const writer = write({ a: file, b: lacking });
    expect(writer.missing).toEqual([lacking]);
  });

  test("RootFileWriter keeps the holes of files that it has to copy", () => {
    const path = storeContent();
    truncateSync(path, 2 ** 30);
    const whole = { ...file, sizeBytes: 2 ** 30 };
    write({ a: whole, b: whole });
    const copy = lstatSync(join(folder, "root/b"));
    expect(copy.ino).not.toBe(lstatSync(path).ino);
    expect(copy.size).toBe(2 ** 30);
    expect(copy.blocks * 512).toBeLessThan(2 ** 20);
    expect(copy.mode).toBe(lstatSync(path).mode);
  });

  test("RootFileWriter takes variants back that have no use", () => {
    storeContent();
    write({ a: file, b: file, c: file }).discardVariants();
    expect(readdirSync(join(folder, "files/aa"))).toEqual([
      contentPath(file).slice(3),
    ]);
  });

  test("RootFileWriter refuses a path that would not fit beneath the store", () => {
    const room = 4095 - 128 - join(folder, "tmp").length;
    const deep = (bytes: number): Record<string, ImageNode> => {
      const name = "d".repeat(Math.min(bytes, 100));
      const rest = bytes - name.length - 1;
      return {
        [name]: directory(rest > 0 ? deep(rest) : {}),
      };
    };
    expect(() => write(deep(room + 1))).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message: expect.stringMatching(
          `^Path of entry "(d{100}/)+d*"… must have at most ${room} bytes, so that it fits beneath the image store: current value has ${room + 1}$`,
        ),
      }),
    );
    rmSync(join(folder, "root"), { recursive: true });
    write(deep(room));
  });

  test("RootFileWriter sets times of directories, and links of any bytes", () => {
    write({
      "caf\xe9": directory({ x: { type: "symlink", target: "\xff/../y" } }),
    });
    const odd = Buffer.concat([
      Buffer.from(`${folder}/root/caf`),
      Buffer.from([0xe9]),
    ]);
    expect(lstatSync(odd).mtimeMs).toBe(9_000);
    expect(lstatSync(join(folder, "root")).mtimeMs).toBe(9_000);
  });
});
