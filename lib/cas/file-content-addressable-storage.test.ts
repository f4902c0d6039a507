import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  truncateSync,
} from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Digest, emptyDigest, parseInstanceName } from "../digest/index.js";
import { Code } from "../status/index.js";
import { FileContentAddressableStorage } from "./file-content-addressable-storage.js";

const context = { instanceName: parseInstanceName("") };
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "file-cas-"));
});
afterEach(() => rm(directory, { recursive: true }));

function open(maximumSizeBytes = 2 ** 30): FileContentAddressableStorage {
  return new FileContentAddressableStorage({
    directory,
    maximumSizeBytes,
    memorySizeBytes: 1, // so that files are read
  });
}

function blobPath(digest: Digest): string {
  return join(directory, "blobs", digest.key.slice(0, 2), digest.key);
}

describe("FileContentAddressableStorage on a machine of several users", () => {
  test("FileContentAddressableStorage lets nobody else read its blobs", async () => {
    const blobs = join(directory, "blobs");
    await mkdir(blobs, { mode: 0o755 }); // as an earlier version made it
    open().close();
    expect(lstatSync(blobs).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(directory, "tmp")).mode & 0o777).toBe(0o700);
  });
});

describe("FileContentAddressableStorage after a restart", () => {
  test("FileContentAddressableStorage finds its blobs again, in the order of use", async () => {
    const first = open();
    const digests = await Promise.all(
      ["a", "b", "c"].map((text) => first.write(Buffer.from(text))),
    );
    const [a, b, c] = digests as [Digest, Digest, Digest]; // as many as texts
    first.has(a);
    first.close();
    const second = open(2 * (4_096 + 256));
    expect(await second.findMissing([a, b, c])).toEqual([b]);
    expect(existsSync(blobPath(b))).toBe(false);
    expect((await second.read(a)).toString()).toBe("a");
  });

  test("FileContentAddressableStorage drops what a crash left half", async () => {
    const first = open();
    const whole = await first.write(Buffer.from("whole"));
    const half = await first.write(Buffer.from("half"));
    truncateSync(blobPath(half), 0);
    const unfinished = Digest.of(Buffer.from("unfinished"));
    await writeFile(blobPath(unfinished), "unfinishe\0");
    await writeFile(first.temporaryPath(), "in the making");
    const second = open(); // the first one was not closed
    expect(await second.findMissing([whole, half, unfinished])).toEqual([
      half,
      unfinished,
    ]);
    await second.write(Buffer.from("half"));
    expect((await second.read(half)).toString()).toBe("half");
    expect(readdirSync(join(directory, "tmp"))).toEqual([]);
  });

  test("FileContentAddressableStorage refuses unread what is larger than all of it", async () => {
    const cas = open(100_000);
    const kept = await cas.write(Buffer.from("kept"));
    const source = () => {
      throw new TypeError("must not be read");
    };
    const large = Digest.create("0".repeat(64), 100_001);
    await expect(cas.writeStream(large, source, context)).rejects.toMatchObject(
      { code: Code.ResourceExhausted },
    );
    expect(await cas.findMissing([kept])).toEqual([]);
  });

  test("FileContentAddressableStorage never shows a stream that broke", async () => {
    const cas = open();
    const data = Buffer.alloc(1_000_000, "x");
    const digest = Digest.of(data);
    async function* broken() {
      yield data.subarray(0, 500_000);
      throw new TypeError("the client went away");
    }
    await expect(
      cas.writeStream(digest, broken, context),
    ).rejects.toMatchObject({
      code: Code.Internal,
      message: `Failed to store blob "${digest}": the client went away`,
    });
    expect(await cas.findMissing([digest])).toEqual([digest]);
    expect(readdirSync(join(directory, "tmp"))).toEqual([]);
  });
});

describe("FileContentAddressableStorage.place()", () => {
  test("place() links read-only inodes that all look the same", async () => {
    const cas = open();
    const digest = await cas.write(Buffer.from("text"));
    const plain = join(directory, "plain");
    const program = join(directory, "program");
    cas.place(digest, plain, { executable: false, how: "link" });
    cas.place(digest, program, { executable: true, how: "link" });
    const look = (path: string) => {
      const { mode, mtimeMs, nlink } = lstatSync(path);
      return { mode: mode & 0o7777, mtimeMs, nlink };
    };
    const mtimeMs = Date.UTC(2000, 0, 1);
    expect(look(plain)).toEqual({ mode: 0o444, mtimeMs, nlink: 2 });
    expect(look(program)).toEqual({ mode: 0o555, mtimeMs, nlink: 2 });
    expect(lstatSync(plain).ino).toBe(lstatSync(blobPath(digest)).ino);
  });

  test("place() copies, makes empty files, and says what it lacks", async () => {
    const cas = open();
    const digest = await cas.write(Buffer.from("text"));
    const copy = join(directory, "copy");
    cas.place(digest, copy, { executable: true, how: "copy" });
    expect(readFileSync(copy, "utf8")).toBe("text");
    expect(lstatSync(copy)).toMatchObject({ nlink: 1 });
    const empty = join(directory, "empty");
    cas.place(emptyDigest, empty, { executable: false, how: "link" });
    expect(readFileSync(empty)).toHaveLength(0);
    const absent = Digest.of(Buffer.from("absent"));
    expect(() =>
      cas.place(absent, join(directory, "x"), {
        executable: false,
        how: "link",
      }),
    ).toThrow(expect.objectContaining({ code: Code.NotFound }));
  });
});

test("FileContentAddressableStorage keeps pinned blobs whatever comes", async () => {
  const cas = open(2 * (4_096 + 256));
  const pinned = await cas.write(Buffer.from("pinned"));
  cas.pin(pinned);
  const others = [];
  for (let i = 0; i < 5; i++) others.push(await cas.write(Buffer.from(`${i}`)));
  expect(cas.has(pinned)).toBe(true);
  expect(cas.totals.blobs).toBe(2);
  cas.unpin(pinned);
  for (let i = 5; i < 9; i++) await cas.write(Buffer.from(`${i}`));
  expect(cas.has(pinned)).toBe(false);
});

test("FileContentAddressableStorage treats a blob whose file went as missing", async () => {
  const cas = open();
  const digest = await cas.write(Buffer.from("text"));
  await rm(blobPath(digest));
  await expect(cas.read(digest)).rejects.toMatchObject({
    code: Code.NotFound,
    message: `Blob "${digest}" not found`,
  });
  expect(await cas.findMissing([digest])).toEqual([digest]);
});

test("FileContentAddressableStorage adopts a file by moving it", async () => {
  const cas = open();
  const data = Buffer.from("adopted");
  const path = cas.temporaryPath();
  await writeFile(path, data, { mode: 0o777 });
  cas.adopt(Digest.of(data), path);
  expect(existsSync(path)).toBe(false);
  expect(lstatSync(blobPath(Digest.of(data))).mode & 0o777).toBe(0o444);
  expect((await cas.read(Digest.of(data))).equals(data)).toBe(true);
});
