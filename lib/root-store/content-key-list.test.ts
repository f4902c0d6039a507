import { expect, test } from "@jest/globals";
import { ContentKeyList } from "./content-key-list.js";

test("ContentKeyList gives the keys back, however many there are", () => {
  const keys = Array.from({ length: 5_000 }, (_, index) => ({
    sha256: index.toString(16).padStart(64, "0"),
    mode: index % 0o1000,
    mtimeSeconds: (index - 2_500) * 2 ** 30,
  }));
  const list = new ContentKeyList();
  expect([...list]).toEqual([]);
  for (const key of keys) list.push(key);
  expect([...list]).toEqual(keys);
});
