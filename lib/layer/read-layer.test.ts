import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import {
  descriptorOf,
  discardingSink,
  readTestLayer,
  rejectionOf,
  sha256,
} from "../../test/fixtures/read-test-layer.js";
import {
  tarArchive,
  tarDirectory,
  tarFile,
  tarHardLink,
  tarHeader,
  tarSymlink,
} from "../../test/fixtures/tar-archive.js";
import { Code, StatusError } from "../status/index.js";
import { type FileSink, readLayer } from "./index.js";

const archive = tarArchive(
  tarDirectory("./"),
  tarDirectory("etc/", { mode: 0o7755, mtime: 5 }),
  tarFile("etc/passwd", "root", { mode: 0o4755, mtime: 6 }),
  tarFile("large", Buffer.alloc(200_000, "l")),
  tarFile("empty"),
  tarSymlink("l", "/etc/../.."),
  tarHardLink("h", "/etc/./passwd"),
  tarFile("etc/.wh.gone"),
  tarFile(".wh..wh..opq"),
  tarFile(".wh..wh.plnk/1.2", "aufs"),
  tarHeader("null", { type: "3" }),
);
const entries = [
  { type: "directory", path: "", mode: 0o755, mtimeSeconds: 0 },
  { type: "directory", path: "etc", mode: 0o1755, mtimeSeconds: 5 },
  fileEntry("etc/passwd", "root", { mode: 0o755, mtimeSeconds: 6 }),
  fileEntry("large", "l".repeat(200_000)),
  fileEntry("empty", ""),
  { type: "symlink", path: "l", target: "/etc/../.." },
  { type: "hardLink", path: "h", target: "etc/passwd" },
  { type: "whiteout", path: "etc/gone" },
  { type: "opaque", path: "" },
  { type: "special", path: "null" },
];
const dropped = { devices: 1, fifos: 0, xattrs: 0, setIds: 1, aufs: 1 };

function fileEntry(path: string, content: string, fields: object = {}) {
  const sizeBytes = content.length;
  const hash = createHash("sha256").update(content).digest("hex");
  const usual = { mode: 0o644, mtimeSeconds: 0 };
  return { type: "file", path, sizeBytes, sha256: hash, ...usual, ...fields };
}

function zstd(bytes: Buffer): Buffer {
  return execFileSync("zstd", ["-q", "-c"], { input: bytes });
}

describe("readLayer()", () => {
  test.each([
    ["none", archive],
    ["gzip", gzipSync(archive)],
    // Several members, as eStargz has them.
    [
      "gzip",
      Buffer.concat([
        gzipSync(archive.subarray(0, 1000)),
        gzipSync(archive.subarray(1000)),
      ]),
    ],
    ["zstd", zstd(archive)],
    // Several frames, one of them to be skipped, as zstd:chunked has them.
    [
      "zstd",
      Buffer.concat([
        zstd(archive.subarray(0, 1000)),
        Buffer.from("502a4d1803000000616263", "hex"),
        zstd(archive.subarray(1000)),
      ]),
    ],
  ] as const)(
    "readLayer() reads a blob with compression %s",
    async (compression, blob) => {
      for (const chunkBytes of [7, 65_536]) {
        const diffId = sha256(archive);
        const options = { compression, chunkBytes, diffId };
        const layer = await readTestLayer(blob, {
          ...options,
          descriptor: descriptorOf(blob, compression),
        });
        expect(layer).toEqual({ diffId, entries, dropped });
      }
    },
  );

  test("readLayer() hands files to the sink one after the other, and waits for it", async () => {
    const calls: string[] = [];
    let isBusy = false;
    const busy = async (call: string) => {
      expect(isBusy).toBe(false);
      isBusy = true;
      await new Promise(setImmediate);
      isBusy = false;
      calls.push(call);
    };
    let written = 0;
    const sink: FileSink = {
      begin: ({ sizeBytes, mode }) => busy(`begin ${sizeBytes} ${mode}`),
      write: async (chunk) => {
        written += chunk.length;
        await busy("write");
      },
      end: (hash) => busy(`end ${hash}`),
    };
    await readTestLayer(gzipSync(archive), { compression: "gzip", sink });
    const { sha256: passwd } = fileEntry("", "root");
    const { sha256: empty } = fileEntry("", "");
    expect(calls.slice(0, 3)).toEqual([
      `begin 4 ${0o755}`,
      "write",
      `end ${passwd}`,
    ]);
    expect(calls.slice(-2)).toEqual([`begin 0 ${0o644}`, `end ${empty}`]);
    expect(written).toBe(4 + 200_000);
  });

  test("readLayer() reads to the last byte, beyond the archive's end", async () => {
    const tail = Buffer.concat([archive, Buffer.alloc(100_000, 7)]);
    expect((await readTestLayer(tail)).entries).toEqual(entries);
    const wrong = await rejectionOf(
      readTestLayer(gzipSync(tail), {
        compression: "gzip",
        diffId: sha256(archive),
      }),
    );
    expect(wrong).toMatchObject({
      code: Code.InvalidArgument,
      message: `Failed to read layer "${sha256(gzipSync(tail))}": Diff ID must be that of the uncompressed layer, ${sha256(tail)}: current value is ${sha256(archive)}`,
    });
  });

  test.each([
    ["a digest that is wrong", { digest: sha256(Buffer.from("x")) }, "digest"],
    [
      "a size that is too small",
      { sizeBytes: 1 },
      "1 bytes: current value is more",
    ],
    [
      "a size that is too large",
      { sizeBytes: 10 ** 9 },
      "1000000000 bytes: current value is",
    ],
  ])("readLayer() reports %s as DataLoss", async (_what, fields, detail) => {
    for (const compression of ["none", "gzip"] as const) {
      const blob = compression === "gzip" ? gzipSync(archive) : archive;
      const descriptor = { ...descriptorOf(blob, compression), ...fields };
      const error = await rejectionOf(
        readTestLayer(blob, { compression, descriptor }),
      );
      expect(error.code).toBe(Code.DataLoss);
      expect(error.message).toContain(
        `Failed to read layer "${descriptor.digest}": Blob must have ${detail}`,
      );
    }
  });

  test("readLayer() reports each flipped bit as DataLoss, wherever it is", async () => {
    const compressions = ["none", "gzip", "zstd"] as const;
    const blobs = [archive, gzipSync(archive), zstd(archive)];
    for (const [i, compression] of compressions.entries()) {
      const good = blobs[i] ?? archive;
      const step = Math.ceil(good.length / 300);
      for (let at = 0; at < good.length; at += step) {
        const blob = Buffer.from(good);
        blob[at] = (blob[at] ?? 0) ^ (1 << (at % 8));
        const descriptor = descriptorOf(good, compression);
        const diffId = sha256(archive);
        const reading = readTestLayer(Buffer.from(blob), {
          ...{ descriptor, diffId },
        });
        expect((await rejectionOf(reading)).code).toBe(Code.DataLoss);
      }
    }
  });

  test("readLayer() blames the image for what its digest confirms", async () => {
    const bad = Buffer.from(archive).fill(1, 512, 600);
    expect(await rejectionOf(readTestLayer(bad))).toMatchObject({
      code: Code.InvalidArgument,
      message: `Failed to read layer "${sha256(bad)}": Failed to read the archive at byte 512: Checksum of the header is wrong`,
    });
  });

  test.each([
    ["gzip", gzipSync(archive)],
    ["zstd", zstd(archive)],
  ] as const)(
    "readLayer() rejects %s that is truncated, or none at all",
    async (compression, blob) => {
      const diffId = sha256(archive);
      for (const bad of [blob.subarray(0, -9), blob.subarray(0, 20), archive]) {
        const error = await rejectionOf(
          readTestLayer(bad, {
            diffId,
            descriptor: descriptorOf(bad, compression),
          }),
        );
        expect(error.code).toBe(Code.InvalidArgument);
        expect(error.message).toContain(
          `: Failed to decompress ${compression}: `,
        );
      }
    },
  );

  test("readLayer() passes on what source and sink throw, and closes the source", async () => {
    for (const compression of ["none", "gzip", "zstd"] as const) {
      const noise = Buffer.concat([
        tarFile("f", Buffer.alloc(5000, 1)),
        archive,
      ]);
      const blob = { none: noise, gzip: gzipSync(noise), zstd: zstd(noise) }[
        compression
      ];
      let isClosed = false;
      async function* source(failure?: Error) {
        try {
          yield blob.subarray(0, 50);
          if (failure !== undefined) throw failure;
          yield blob.subarray(50);
        } finally {
          isClosed = true;
        }
      }
      const options = {
        descriptor: descriptorOf(blob, compression),
        diffId: sha256(noise),
      };
      const lost = new StatusError(Code.Unavailable, "Connection is lost");
      const sink = { ...discardingSink };
      await expect(
        readLayer(source(lost), { ...options, sink }),
      ).rejects.toMatchObject({
        code: Code.Unavailable,
        message: `Failed to read layer "${options.descriptor.digest}": Connection is lost`,
      });
      expect(isClosed).toBe(true);
      isClosed = false;
      const full = Object.assign(new Error("no space left"), {
        code: "ENOSPC",
      });
      sink.write = () => {
        throw full;
      };
      await expect(
        readLayer(source(), { ...options, sink }),
      ).rejects.toMatchObject({
        code: Code.ResourceExhausted,
        message: `Failed to read layer "${options.descriptor.digest}": Failed to read entry "f": no space left`,
      });
      expect(isClosed).toBe(true);
    }
  });

  test("readLayer() ends soon after its signal is aborted", async () => {
    const abort = new AbortController();
    let chunks = 0;
    async function* endless() {
      for (;;) {
        if (++chunks === 3) abort.abort();
        yield tarFile("f", "x");
      }
    }
    const { signal } = abort;
    const descriptor = { ...descriptorOf(archive), sizeBytes: 10 ** 9 };
    const options = {
      descriptor,
      diffId: descriptor.digest,
      sink: discardingSink,
      signal,
    };
    const error = await rejectionOf(readLayer(endless(), options));
    expect(error.code).toBe(Code.Cancelled);
    expect(chunks).toBe(3);
  });

  const inDigest = (text: string) =>
    `Digest of a layer must be "sha256:" and 64 lower-case hexadecimal digits: current value is "${text}"`;
  const upperCase = `sha256:${"A".repeat(64)}`;
  test.each([
    [{ digest: "md5:0" }, Code.InvalidArgument, inDigest("md5:0")],
    [{ digest: upperCase }, Code.InvalidArgument, inDigest(upperCase)],
    [{ digest: "sha256:../x" }, Code.InvalidArgument, inDigest("sha256:../x")],
    [
      { sizeBytes: -1 },
      Code.InvalidArgument,
      "Size of a layer must be a whole number that is not negative: current value is -1",
    ],
    [
      { sizeBytes: 10 ** 15 },
      Code.ResourceExhausted,
      "Size of a layer must be at most 21474836480 bytes: current value is 1000000000000000",
    ],
  ])(
    "readLayer() does not ask for a blob with %j",
    async (fields, code, message) => {
      const source = {
        [Symbol.asyncIterator]: () => {
          throw new Error("asked");
        },
      };
      const descriptor = { ...descriptorOf(archive), ...fields };
      const diffId = sha256(archive);
      const reading = readLayer(source, {
        ...{ descriptor, diffId, sink: discardingSink },
      });
      await expect(reading).rejects.toMatchObject({ code, message });
    },
  );
});
