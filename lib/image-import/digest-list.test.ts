import { expect, test } from "@jest/globals";
import { Digest } from "../digest/index.js";
import { DigestList } from "./digest-list.js";

test("DigestList gives back what it was given, also from its bytes", () => {
  const digests = Array.from({ length: 3_000 }, (_, index) =>
    Digest.create(
      Digest.of(Buffer.from(`${index}`)).hash,
      index * 3_000_000_007,
    ),
  );
  const list = new DigestList();
  for (const digest of digests) list.add(digest);
  expect(list.length).toBe(3_000);
  expect([...list].map(String)).toEqual(digests.map(String));
  const other = new DigestList(list.bytes);
  const last = Digest.of(Buffer.from("last"));
  other.add(last);
  expect([...other].map(String)).toEqual([...digests, last].map(String));
});
