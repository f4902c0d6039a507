import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ociDigestOf } from "../image/index.js";
import { Code, toStatusError } from "../status/index.js";
import { drain } from "./testing/setup-evil-registry.js";
import { verifyBlob } from "./verify-blob.js";

async function* chunksOf(data: Uint8Array, sizes: readonly number[]) {
  let offset = 0;
  for (const size of sizes) {
    yield data.subarray(offset, offset + size);
    offset += size;
  }
  yield data.subarray(offset);
}

function descriptorOf(data: Uint8Array) {
  const digest = ociDigestOf(data);
  return { mediaType: "", digest, sizeBytes: data.byteLength };
}

describe("verifyBlob()", () => {
  test("verifyBlob() passes right bytes on however they are cut, the empty blob too", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 50 }),
        fc.array(fc.nat(20), { maxLength: 5 }),
        async (data, sizes) => {
          const verified = verifyBlob(
            descriptorOf(data),
            chunksOf(data, sizes),
          );
          const { data: read, error } = await drain(verified);
          expect(error).toBeUndefined();
          expect(read.equals(data)).toBe(true);
        },
      ),
    );
  });

  test("verifyBlob() never gives all bytes of a blob with one byte changed", async () => {
    const right = Buffer.from("some layer");
    for (let at = 0; at < right.byteLength; at += 1) {
      const wrong = Buffer.from(right);
      wrong[at] = (wrong[at] ?? 0) ^ 1;
      const { data, error } = await drain(
        verifyBlob(descriptorOf(right), chunksOf(wrong, [3, 3])),
      );
      expect(toStatusError(error).code).toBe(Code.DataLoss);
      expect(data.byteLength).toBeLessThan(right.byteLength);
    }
  });

  test.each([
    ["some laye", "it has 9 bytes"],
    ["", "it has 0 bytes"],
    ["some layers", "it has more bytes than that"],
  ])("verifyBlob() refuses %j for another size", async (text, found) => {
    const descriptor = descriptorOf(Buffer.from("some layer"));
    const { error } = await drain(
      verifyBlob(descriptor, chunksOf(Buffer.from(text), [4])),
    );
    expect(error).toMatchObject({
      code: Code.DataLoss,
      message: `blob ${descriptor.digest} of 10 bytes is corrupt: ${found}`,
    });
  });
});
