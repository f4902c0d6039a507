import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  type CasContext,
  type ContentAddressableStorage,
  collect,
} from "../../lib/cas/index.js";
import {
  Digest,
  emptyDigest,
  parseInstanceName,
} from "../../lib/digest/index.js";
import { Code } from "../../lib/status/index.js";

/** A store under test, and what ends it. */
export interface CasUnderTest {
  cas: ContentAddressableStorage;
  stop(): Promise<void>;
}

const context: CasContext = { instanceName: parseInstanceName("") };

async function* pieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.byteLength; at += size) {
    yield data.subarray(at, at + size);
  }
}

/**
 * What every ContentAddressableStorage promises, proved for one of them: ours
 * in memory, on disk and on the wire, and servers that others wrote.
 */
export function describeContentAddressableStorage(
  name: string,
  start: () => Promise<CasUnderTest>,
): void {
  let subject: CasUnderTest;
  let cas: ContentAddressableStorage;

  beforeEach(async () => {
    subject = await start();
    cas = subject.cas;
  });
  afterEach(() => subject.stop());

  describe(name, () => {
    test(`${name} gives back small blobs, many at once`, async () => {
      const blobs = Array.from({ length: 300 }, () => randomBytes(1_000));
      const digests = await Promise.all(
        blobs.map((data) => cas.write(data, context)),
      );
      expect(digests.map(({ hash }) => hash)).toEqual(
        blobs.map((data) => createHash("sha256").update(data).digest("hex")),
      );
      const read = await Promise.all(
        digests.map((digest) => cas.read(digest, context)),
      );
      expect(Buffer.concat(read).equals(Buffer.concat(blobs))).toBe(true);
    });

    test.each([65_536, 1_000_000, 4 * 2 ** 20, 4 * 2 ** 20 + 1, 9_000_000])(
      `${name} gives back a blob of %d bytes, whole and in pieces`,
      async (sizeBytes) => {
        const data = randomBytes(sizeBytes);
        const digest = Digest.of(data);
        await cas.writeStream(digest, () => pieces(data, 100_000), context);
        expect((await cas.read(digest, context)).equals(data)).toBe(true);
        const streamed = await collect(cas.open(digest, context));
        expect(streamed.equals(data)).toBe(true);
      },
    );

    test(`${name} takes a large blob from memory`, async () => {
      const data = randomBytes(6_000_000);
      const digest = await cas.write(data, context);
      expect((await cas.read(digest, context)).equals(data)).toBe(true);
    });

    test(`${name} finds what is missing, each once and in order`, async () => {
      const held = await cas.write(randomBytes(10), context);
      const absent = Array.from({ length: 2_500 }, () =>
        Digest.of(randomBytes(20)),
      );
      const asked = [held, ...absent, held, emptyDigest, ...absent];
      const missing = await cas.findMissing(asked, context);
      expect(missing.map(({ key }) => key)).toEqual(
        absent.map(({ key }) => key),
      );
    });

    test(`${name} always holds the empty blob`, async () => {
      expect((await cas.read(emptyDigest, context)).byteLength).toBe(0);
      expect(await collect(cas.open(emptyDigest, context))).toHaveLength(0);
      const written = await cas.write(Buffer.alloc(0), context);
      expect(written.equals(emptyDigest)).toBe(true);
      await cas.writeStream(
        emptyDigest,
        () => pieces(Buffer.alloc(0), 1),
        context,
      );
    });

    test(`${name} says NotFound for a blob that it lacks`, async () => {
      for (const sizeBytes of [10, 5_000_000]) {
        const absent = Digest.create(
          randomBytes(32).toString("hex"),
          sizeBytes,
        );
        const notFound = expect.objectContaining({ code: Code.NotFound });
        await expect(cas.read(absent, context)).rejects.toEqual(notFound);
        await expect(collect(cas.open(absent, context))).rejects.toEqual(
          notFound,
        );
      }
    });

    test(`${name} refuses streams of other bytes, fewer or more`, async () => {
      for (const sizeBytes of [1_000, 5_000_000]) {
        const data = randomBytes(sizeBytes);
        const digest = Digest.of(data);
        const changed = Buffer.from(data);
        changed.writeUInt8(changed.readUInt8(sizeBytes / 2) ^ 1, sizeBytes / 2);
        const wrong = [
          changed,
          data.subarray(1),
          Buffer.concat([data, randomBytes(1)]),
        ];
        for (const bytes of wrong) {
          await expect(
            cas.writeStream(digest, () => pieces(bytes, 300_000), context),
          ).rejects.toMatchObject({ code: Code.DataLoss });
        }
        expect(await cas.findMissing([digest], context)).toHaveLength(1);
      }
    });

    test(`${name} lets a reader leave early`, async () => {
      const data = randomBytes(5_000_000);
      const digest = await cas.write(data, context);
      for await (const piece of cas.open(digest, context)) {
        expect(piece.byteLength).toBeGreaterThan(0);
        break;
      }
      expect((await cas.read(digest, context)).equals(data)).toBe(true);
    });
  });
}
