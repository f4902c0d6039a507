import { createHash } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ContentFileSink } from "./content-file-sink.js";

let folder: string;
let files: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-sink-"));
  files = join(folder, "files");
});

afterEach(() => rmSync(folder, { recursive: true }));

function createSink(umask = 0o022): ContentFileSink {
  const allowance = { take: () => {}, giveBack: () => {} }; // no limit
  return new ContentFileSink({
    ...{ files, tmp: folder, owner: undefined, umask, allowance },
  });
}

function store(
  sink: ContentFileSink,
  data: Buffer,
  mode = 0o644,
): { path: string } {
  const sha256 = createHash("sha256").update(data).digest("hex");
  mkdirSync(join(files, sha256.slice(0, 2)), { recursive: true });
  sink.begin({ sizeBytes: data.length, mode, mtimeSeconds: 1_000 });
  for (let offset = 0; offset < data.length; offset += 700_000) {
    sink.write(data.subarray(offset, offset + 700_000));
  }
  sink.end(sha256);
  const bits = ((mode & 0o555) | 0o400).toString(8);
  return { path: join(files, sha256.slice(0, 2), `${sha256}.${bits}.1000`) };
}

describe("ContentFileSink", () => {
  test.each([0, 5, 1 << 20, (1 << 20) + 1, 5_000_000])(
    "ContentFileSink stores a file of %i bytes with mode and time",
    (size) => {
      const data = Buffer.alloc(size, "data");
      const sink = createSink();
      const { path } = store(sink, data, 0o4755);
      expect(readFileSync(path).equals(data)).toBe(true);
      const { mode, mtimeMs } = statSync(path);
      expect([mode & 0o7777, mtimeMs]).toEqual([0o555, 1_000_000]);
      expect(sink.stored).toEqual({ bytes: size, inodes: 1 });
      expect(readdirSync(folder)).toEqual(["files"]);
    },
  );

  test("ContentFileSink sets a mode that the umask would take off", () => {
    const { path } = store(createSink(0o077), Buffer.from("x"));
    expect(statSync(path).mode & 0o777).toBe(0o444);
  });

  test.each([
    ["at the start", 0, 4],
    ["in the middle", 2, 6],
    ["at the end", 5, 9],
    ["everywhere", 0, 9],
  ])("ContentFileSink keeps zeros %s as a hole", (_, from, to) => {
    const mebibyte = 2 ** 20;
    const file = Buffer.alloc(9 * mebibyte, "x");
    file.fill(0, from * mebibyte, to * mebibyte);
    const { path } = store(createSink(), file);
    expect(readFileSync(path).equals(file)).toBe(true);
    // Pieces at the edges of a chunk are written.
    const most = (9 - (to - from)) * mebibyte + 700_000;
    expect(statSync(path).blocks * 512).toBeLessThan(most);
  });

  test("ContentFileSink leaves a file alone that is there", () => {
    const small = Buffer.from("small");
    const large = Buffer.alloc(2_000_000);
    const paths = [store(createSink(), small), store(createSink(), large)];
    const inodes = paths.map(({ path }) => statSync(path).ino);
    const sink = createSink();
    store(sink, small);
    store(sink, large);
    expect(paths.map(({ path }) => statSync(path).ino)).toEqual(inodes);
    expect(sink.stored).toEqual({ bytes: 0, inodes: 0 });
    expect([...sink.storedKeys]).toEqual([]);
    expect(readdirSync(folder)).toEqual(["files"]);
  });

  test("ContentFileSink replaces a file that lost bytes, but not in roots", () => {
    const data = Buffer.from("whole");
    const { path } = store(createSink(), data);
    const linked = join(folder, "linked");
    linkSync(path, linked);
    truncateSync(path, 2);
    store(createSink(), data);
    expect(readFileSync(path, "utf8")).toBe("whole");
    expect(readFileSync(linked, "utf8")).toBe("wh");
    rmSync(linked);
  });

  test("ContentFileSink leaves nothing of a file that was not ended", () => {
    const sink = createSink();
    sink.begin({ sizeBytes: 2_000_000, mode: 0o644, mtimeSeconds: 0 });
    sink.write(Buffer.alloc(1_000));
    expect(existsSync(join(folder, "file"))).toBe(true);
    sink.abandon();
    sink.abandon();
    expect(readdirSync(folder)).toEqual([]);
  });
});
