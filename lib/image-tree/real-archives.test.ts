// Archives of the programs that people make images with, in every format.
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  describeFolder,
  describeImageTree,
} from "../../test/fixtures/describe-tree.js";
import { readTestLayer } from "../../test/fixtures/read-test-layer.js";
import { buildImageTree } from "./index.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-archives-"));
  makePlain(join(folder, "plain"));
  makeLong(join(folder, "long"));
  makeTimes(join(folder, "times"));
  makeSparse(join(folder, "sparse"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const mebibyte = 2 ** 20;

// What every format can hold.
function makePlain(root: string): void {
  mkdirSync(join(root, "usr/lib"), { recursive: true });
  mkdirSync(join(root, "empty"), { mode: 0o700 });
  mkdirSync(join(root, "tmp"), { mode: 0o1777 });
  writeFileSync(join(root, "usr/lib/a"), "content");
  writeFileSync(join(root, "usr/lib/b"), Buffer.alloc(3 * mebibyte + 1, "b"));
  writeFileSync(join(root, "usr/run"), "#!/bin/sh", { mode: 0o755 });
  writeFileSync(join(root, "nothing"), "");
  linkSync(join(root, "usr/lib/b"), join(root, "usr/z"));
  linkSync(join(root, "usr/lib/b"), join(root, "b"));
  symlinkSync("usr/lib", join(root, "lib"));
  symlinkSync("/nowhere", join(root, "dangling"));
  writeFileSync(Buffer.from(`${root}/caf\xe9`, "latin1"), "1");
  writeFileSync(Buffer.from(`${root}/caf\xe8`, "latin1"), "2");
  for (const file of ["usr/lib/a", "usr/lib/b", "usr/run", "nothing"]) {
    utimesSync(join(root, file), 1_600_000_000, 1_600_000_001);
  }
}

// What needs extended headers.
function makeLong(root: string): void {
  const long = join(root, "d".repeat(120), "e".repeat(200));
  mkdirSync(long, { recursive: true });
  writeFileSync(join(long, "f".repeat(255)), "long");
  symlinkSync("t".repeat(1000), join(root, "link"));
  linkSync(join(long, "f".repeat(255)), join(root, "hard"));
}

function makeTimes(root: string): void {
  mkdirSync(root);
  for (const time of [2 ** 33 + 7.25, 1.75, -1.25, -86_400]) {
    writeFileSync(join(root, `at ${time}`), "");
    utimesSync(join(root, `at ${time}`), 0, time);
  }
}

function makeSparse(root: string): void {
  mkdirSync(root);
  sparseFile(join(root, "one"), 3 * mebibyte, [mebibyte]);
  sparseFile(join(root, "none"), 2 * mebibyte, []);
  // More stretches than a header of the old format holds, and than one more.
  const many = Array.from({ length: 60 }, (_, i) => i * 65_536);
  sparseFile(join(root, "many"), 60 * 65_536, many);
  sparseFile(join(root, "end"), 65_536 * 3 + 5, [65_536 * 3]);
}

function sparseFile(path: string, size: number, offsets: number[]): void {
  const file = openSync(path, "w");
  for (const at of offsets) writeSync(file, `data at ${at}`, at);
  ftruncateSync(file, size);
  closeSync(file);
}

async function expectSame(source: string, archive: Buffer): Promise<void> {
  // Pieces that no header and no file is aligned to.
  const layer = await readTestLayer(archive, { chunkBytes: 70_001 });
  const lines = describeImageTree(buildImageTree([layer]));
  expect(lines).toEqual(describeFolder(source));
}

function pack(program: string, args: string[], source: string): Buffer {
  const all = [...args, "-C", source, "."];
  return execFileSync(program, all, { maxBuffer: 64 * mebibyte });
}

const python = `
import sys, tarfile
format = getattr(tarfile, sys.argv[1])
tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=format).add(sys.argv[2], ".")
`;
const hasBsdtar = spawnSync("bsdtar", ["--version"]).status === 0;

describe("archives of GNU tar", () => {
  test.each(["v7", "oldgnu", "gnu", "ustar", "pax"])(
    "in format %s",
    async (format) => {
      const args = [`--format=${format}`, "-cf", "-"];
      const source = join(folder, "plain");
      await expectSame(source, pack("tar", args, source));
    },
  );

  test.each([
    ["long names", "oldgnu", "long"],
    ["long names", "gnu", "long"],
    ["long names", "pax", "long"],
    ["odd times", "gnu", "times"],
    ["odd times", "pax", "times"],
  ])("with %s in format %s", async (_what, format, files) => {
    const args = [`--format=${format}`, "-cf", "-"];
    const source = join(folder, files);
    await expectSame(source, pack("tar", args, source));
  });

  test.each([
    ["--format=oldgnu"],
    ["--format=gnu"],
    ["--format=pax", "--sparse-version=0.0"],
    ["--format=pax", "--sparse-version=0.1"],
    ["--format=pax", "--sparse-version=1.0"],
  ])("with sparse files by %s %s", async (...args) => {
    const source = join(folder, "sparse");
    const archive = pack("tar", [...args, "--sparse", "-cf", "-"], source);
    expect(archive.length).toBeLessThan(2 * mebibyte);
    await expectSame(source, archive);
  });
});

describe("archives of bsdtar", () => {
  test.each([
    ["ustar", "plain"],
    ["gnutar", "plain"],
    ["pax", "plain"],
    ["gnutar", "long"],
    ["pax", "long"],
    ["pax", "sparse"],
  ])("in format %s of %s files", async (format, files) => {
    if (!hasBsdtar) {
      process.stderr.write("skipped: bsdtar is not installed\n");
      return;
    }
    const source = join(folder, files);
    // hdrcharset=BINARY: names are bytes, whatever the locale.
    const options =
      format === "ustar" || format === "gnutar"
        ? []
        : ["--options", "hdrcharset=BINARY"];
    const args = ["--format", format, ...options, "-cf", "-"];
    await expectSame(source, pack("bsdtar", args, source));
  });
});

describe("archives of Python's tarfile", () => {
  test.each([
    ["USTAR_FORMAT", "plain"],
    ["GNU_FORMAT", "plain"],
    ["PAX_FORMAT", "plain"],
    ["GNU_FORMAT", "long"],
    ["PAX_FORMAT", "long"],
    ["PAX_FORMAT", "times"],
  ])("in %s of %s files", async (format, files) => {
    const source = join(folder, files);
    const archive = execFileSync("python3", ["-c", python, format, source], {
      maxBuffer: 64 * mebibyte,
    });
    await expectSame(source, archive);
  });
});

const name = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => Buffer.from(bytes).toString("latin1").replace(/[\0/]/g, "_"))
  .filter((text) => !/^\.{1,2}$|^\.wh\./.test(text));
const someFiles = fc.uniqueArray(
  fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 4 }),
    content: fc.option(fc.uint8Array({ maxLength: 3000 })),
    mode: fc.constantFrom(0o644, 0o755, 0o400),
  }),
  { maxLength: 20, selector: ({ path }) => path.join("/") },
);

test("any tree that GNU tar packs is read as it was", async () => {
  await fc.assert(
    fc.asyncProperty(someFiles, async (files) => {
      const root = mkdtempSync(join(folder, "random-"));
      for (const { path, content, mode } of files) {
        const full = Buffer.from(join(root, ...path), "latin1");
        const parent = Buffer.from(dirname(full.toString("latin1")), "latin1");
        try {
          mkdirSync(parent, { recursive: true });
          if (content === null) symlinkSync("target", full);
          else writeFileSync(full, content, { mode });
        } catch {
          // One path goes through another one that is no directory: leave it.
        }
      }
      await expectSame(root, pack("tar", ["-cf", "-"], root));
    }),
    { numRuns: 20 },
  );
});
