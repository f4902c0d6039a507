import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import {
  descriptorOf,
  readTestLayer,
  rejectionOf,
  sha256,
} from "../../test/fixtures/read-test-layer.js";
import {
  tarArchive,
  tarFile,
  tarHeader,
} from "../../test/fixtures/tar-archive.js";
import { Code } from "../status/index.js";
import { defaultLayerLimits, type FileSink } from "./index.js";

function zstd(bytes: Buffer): Buffer {
  return execFileSync("zstd", ["-q", "-c"], { input: bytes });
}

describe("readLayer() stops within one per cent of a limit", () => {
  const mebibyte = 2 ** 20;
  const counting = () => {
    const seen = { files: 0, bytes: 0 };
    const sink: FileSink = {
      begin: () => {
        seen.files++;
      },
      write: (chunk) => {
        seen.bytes += chunk.length;
      },
      end: () => undefined,
    };
    return { seen, sink };
  };

  test.each(["gzip", "zstd"] as const)(
    "of bytes, in a bomb of %s",
    async (compression) => {
      const uncompressedBytes = 16 * mebibyte;
      const limits = { ...defaultLayerLimits, uncompressedBytes };
      const megabytes = Array.from({ length: 80 }, () =>
        tarFile("zeros", Buffer.alloc(mebibyte)),
      );
      const plain = tarArchive(...megabytes);
      const blob =
        compression === "gzip" ? gzipSync(plain, { level: 1 }) : zstd(plain);
      expect(blob.length).toBeLessThan(plain.length / 100);
      const { seen, sink } = counting();
      const error = await rejectionOf(
        readTestLayer(blob, {
          descriptor: descriptorOf(blob, compression),
          diffId: sha256(plain),
          limits,
          sink,
        }),
      );
      expect(error).toMatchObject({
        code: Code.ResourceExhausted,
        message: `Failed to read layer "${sha256(blob)}": Layer must have at most ${uncompressedBytes} bytes uncompressed`,
      });
      expect(seen.bytes).toBeLessThanOrEqual(uncompressedBytes);
      expect(seen.bytes).toBeGreaterThan(0.95 * uncompressedBytes);
    },
  );

  test("of bytes in files, in holes that the archive does not hold", async () => {
    const sparse = tarHeader("f", {
      type: "S",
      magic: "ustar  \0",
      raw: { 483: "77777777777\0" },
    });
    const { seen, sink } = counting();
    const limits = { ...defaultLayerLimits, fileBytes: 2 ** 40 };
    const blob = tarArchive(...Array.from({ length: 50 }, () => sparse));
    const small = { ...limits, uncompressedBytes: 2 ** 20 };
    expect(
      await rejectionOf(readTestLayer(blob, { limits: small, sink })),
    ).toMatchObject({
      code: Code.ResourceExhausted,
      message: `Failed to read layer "${sha256(blob)}": Failed to read entry "f": Layer must have at most 1048576 bytes in its files`,
    });
    expect(seen.bytes).toBe(0);
  });

  test.each([
    ["entries", { entries: 1000 }, "1000 entries"],
    ["bytes of names", { nameBytes: 4000 }, "4000 bytes of names"],
    ["bytes in one file", { fileBytes: 999 }, "999 bytes in one file"],
  ])("of %s", async (_what, limit, text) => {
    const members = Array.from({ length: 2000 }, (_, i) =>
      tarFile(`f${1000 + i}`, "x".repeat(i)),
    );
    const { seen, sink } = counting();
    const blob = tarArchive(...members);
    const limits = { ...defaultLayerLimits, ...limit };
    expect(
      await rejectionOf(readTestLayer(blob, { limits, sink })),
    ).toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringMatching(
        new RegExp(
          `: Failed to read entry "f[0-9]+": Layer must have at most ${text}$`,
        ),
      ),
    });
    expect(seen.files).toBeGreaterThan(790);
    expect(seen.files).toBeLessThanOrEqual(1000);
  });

  test("of depth", async () => {
    const deep = tarFile("d/".repeat(20));
    const limits = { ...defaultLayerLimits, depth: 19 };
    await readTestLayer(tarArchive(deep), { limits: { ...limits, depth: 20 } });
    expect(
      await rejectionOf(readTestLayer(tarArchive(deep), { limits })),
    ).toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringMatching(/: Path must have at most 19 components$/),
    });
  });
});
