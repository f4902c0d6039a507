import { describe, expect, test } from "@jest/globals";
import { Digest, parseInstanceName } from "../digest/index.js";
import { Code } from "../status/index.js";
import {
  collect,
  InMemoryContentAddressableStorage,
  readInOrder,
  verifyStream,
} from "./index.js";

const context = { instanceName: parseInstanceName("") };

function createStore() {
  return new InMemoryContentAddressableStorage({ maximumSizeBytes: 2 ** 28 });
}

describe("readInOrder()", () => {
  test("readInOrder() gives small and large blobs in the order asked for", async () => {
    const cas = createStore();
    const blobs = Array.from({ length: 3_000 }, (_, index) =>
      Buffer.alloc(index % 1_000 === 7 ? 5_000_000 + index : index, index),
    );
    const digests: Digest[] = [];
    for (const data of blobs) digests.push(await cas.write(data));
    const read = await collect(readInOrder(cas, digests, context));
    expect(read.equals(Buffer.concat(blobs))).toBe(true);
  });

  test("readInOrder() reads ahead within its bounds", async () => {
    const cas = createStore();
    const digest = await cas.write(Buffer.alloc(2 ** 20));
    let asked = 0;
    const endless = (function* () {
      for (;;) {
        asked++;
        yield digest;
      }
    })();
    for await (const _ of readInOrder(cas, endless, context)) break;
    expect(asked).toBe(16);
  });

  test("readInOrder() fails at the place of the blob that is missing", async () => {
    const cas = createStore();
    const first = await cas.write(Buffer.from("first"));
    const gone = Digest.of(Buffer.from("gone"));
    const last = await cas.write(Buffer.from("last"));
    const pieces = readInOrder(cas, [first, gone, last], context);
    expect((await pieces.next()).value?.toString()).toBe("first");
    await expect(pieces.next()).rejects.toMatchObject({ code: Code.NotFound });
  });

  test("readInOrder() keeps the last bytes of a blob until it was verified", async () => {
    const wrong = Buffer.alloc(5_000_000, "wrong");
    const wanted = Digest.of(Buffer.alloc(5_000_000, "right"));
    class Lying extends InMemoryContentAddressableStorage {
      override open = () =>
        verifyStream(
          wanted,
          (async function* () {
            yield wrong.subarray(0, 4_000_000);
            yield wrong.subarray(4_000_000);
          })(),
        ) as AsyncGenerator<Uint8Array>;
    }
    const cas = new Lying({ maximumSizeBytes: 1 });
    let bytes = 0;
    const reading = (async () => {
      for await (const piece of readInOrder(cas, [wanted], context)) {
        bytes += piece.byteLength;
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: Code.DataLoss });
    expect(bytes).toBe(4_000_000);
  });
});
