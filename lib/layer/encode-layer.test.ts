import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Code } from "../status/index.js";
import {
  decodeLayer,
  encodeLayer,
  type Layer,
  type LayerEntry,
} from "./index.js";

const diffId = `sha256:${"ab".repeat(32)}`;
const byteString = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));
const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
const entry: fc.Arbitrary<LayerEntry> = fc.oneof(
  fc.record({
    type: fc.constant("directory" as const),
    path: byteString,
    mode: fc.nat(0o1777),
    mtimeSeconds: fc.maxSafeInteger(),
  }),
  fc.record({
    type: fc.constant("file" as const),
    path: byteString,
    mode: fc.nat(0o777),
    mtimeSeconds: fc.maxSafeInteger(),
    sizeBytes: fc.maxSafeNat(),
    sha256: hash,
  }),
  fc.record({
    type: fc.constantFrom("symlink" as const, "hardLink" as const),
    path: byteString,
    target: byteString,
  }),
  fc.record({
    type: fc.constantFrom(
      "whiteout" as const,
      "opaque" as const,
      "special" as const,
    ),
    path: byteString,
  }),
);
const layer: fc.Arbitrary<Layer> = fc.record({
  diffId: fc.constant(diffId),
  entries: fc.array(entry),
  dropped: fc.record({
    devices: fc.nat(),
    fifos: fc.nat(),
    xattrs: fc.nat(),
    setIds: fc.nat(),
    aufs: fc.nat(),
  }),
});

const dropped = { devices: 0, fifos: 0, xattrs: 0, setIds: 0, aufs: 0 };
const small: Layer = {
  diffId,
  entries: [
    { type: "directory", path: "usr", mode: 0o755, mtimeSeconds: -1 },
    { type: "symlink", path: "usr/l", target: "../\xff" },
  ],
  dropped,
};

describe("encodeLayer()", () => {
  test("encodeLayer() and decodeLayer() are each other's inverse", () => {
    fc.assert(
      fc.property(layer, (value) => {
        expect(decodeLayer(encodeLayer(value), diffId)).toEqual(value);
      }),
    );
  });

  test("encodeLayer() takes under a hundred bytes for a usual entry", () => {
    const entries = Array.from({ length: 1000 }, (_, i) => ({
      type: "file" as const,
      path: `usr/share/doc/package-${i}/changelog.Debian.gz`,
      mode: 0o644,
      mtimeSeconds: 1_700_000_000,
      sizeBytes: 1234,
      sha256: "0".repeat(64),
    }));
    const { length } = encodeLayer({ diffId, entries, dropped });
    expect(length / entries.length).toBeLessThan(100);
  });
});

describe("decodeLayer()", () => {
  test("decodeLayer() rejects every flipped bit and every truncation", () => {
    const good = encodeLayer(small);
    for (let at = 0; at < good.length; at++) {
      const flipped = Buffer.from(good);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      for (const bad of [flipped, good.subarray(0, at)]) {
        expect(() => decodeLayer(bad, diffId)).toThrow(
          expect.objectContaining({
            code: Code.DataLoss,
            message: `Failed to decode layer "${diffId}": Checksum is wrong`,
          }),
        );
      }
    }
  });

  test("decodeLayer() rejects another layer's bytes", () => {
    const other = `sha256:${"cd".repeat(32)}`;
    expect(() => decodeLayer(encodeLayer(small), other)).toThrow(
      expect.objectContaining({
        code: Code.DataLoss,
        message: `Failed to decode layer "${other}": Diff ID is ${diffId}`,
      }),
    );
  });
});
