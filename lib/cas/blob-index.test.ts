import { expect, test } from "@jest/globals";
import { BlobIndex } from "./blob-index.js";

/** What a blob of up to 4 KiB counts. */
const oneBlob = 4_096 + 256;

function setupIndex(blobs: number, maximumBlobs: number): BlobIndex {
  const index = new BlobIndex(maximumBlobs * oneBlob);
  for (let i = 0; i < blobs; i++) index.add(`${i}`, 100);
  return index;
}

test("BlobIndex evicts the least recently used blobs", () => {
  const index = setupIndex(5, 3);
  index.use("0");
  expect(index.evict()).toEqual(["1", "2"]);
  expect([...index.keys()]).toEqual(["3", "4", "0"]);
  expect(index.totals).toEqual({ bytes: 3 * oneBlob, blobs: 3 });
  expect(index.evict()).toEqual([]);
});

test("BlobIndex passes over pinned blobs, even above the bound", () => {
  const index = setupIndex(3, 1);
  for (const key of ["0", "2"]) {
    const blob = index.use(key);
    if (blob !== undefined) blob.pins++;
  }
  expect(index.evict()).toEqual(["1"]);
  expect(index.evict()).toEqual([]);
  expect([...index.keys()]).toEqual(["0", "2"]);
});

test("BlobIndex counts a blob once, and its twin", () => {
  const index = setupIndex(1, 9);
  index.add("0", 100);
  expect(index.totals).toEqual({ bytes: oneBlob, blobs: 1 });
  index.grow("0");
  expect(index.totals.bytes).toBe(2 * oneBlob);
  index.remove("0");
  index.remove("0");
  expect(index.totals).toEqual({ bytes: 0, blobs: 0 });
});
