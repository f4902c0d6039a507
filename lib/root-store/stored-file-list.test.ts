import { expect, test } from "@jest/globals";
import { StoredFileList } from "./stored-file-list.js";

const files = Array.from({ length: 5_000 }, (_, index) => ({
  sha256: ((index * 7) % 1_000).toString(16).padStart(64, "0"),
  sizeBytes: (index % 2) * 2 ** 40,
  mode: index % 0o1000,
  mtimeSeconds: (index - 2_500) * 2 ** 30,
}));

function listOf(all: typeof files): StoredFileList {
  const list = new StoredFileList();
  for (const file of all) list.push(file);
  return list;
}

test("StoredFileList gives the files back, however many there are", () => {
  expect([...listOf([])]).toEqual([]);
  const list = listOf(files);
  expect([...list]).toEqual(files);
  expect(list.length).toBe(5_000);
  expect(list.at(4_999)).toEqual(files[4_999]);
  expect(() => list.at(5_000)).toThrow(RangeError);
});

test("StoredFileList.byContent() brings equal contents together, by digest", () => {
  const list = listOf(files);
  const places = [...list.byContent()];
  expect(new Set(places).size).toBe(files.length);
  const digests = places.map((place) => list.at(place).sha256);
  expect(digests).toEqual([...digests].sort());
  let contents = 1;
  for (let at = 1; at < places.length; at++) {
    const [a = 0, b = 0] = [places[at - 1], places[at]];
    if (!list.hasSameContent(a, b)) contents++;
  }
  expect(contents).toBe(
    new Set(files.map((file) => `${file.sha256} ${file.sizeBytes}`)).size,
  );
});
