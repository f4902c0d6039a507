import { describe, expect, test } from "@jest/globals";
import { diskBytes, entryPath } from "./disk-path.js";

describe("entryPath()", () => {
  test("entryPath() stays text while all names are ASCII", () => {
    expect(entryPath("/a", "b c")).toBe("/a/b c");
  });

  test("entryPath() keeps the bytes of other names, and of what follows", () => {
    const path = entryPath("/\u00e9", "caf\xe9");
    expect(path).toEqual(Buffer.from("2fc3a92f636166e9", "hex"));
    expect(entryPath(path, "x")).toEqual(
      Buffer.from("2fc3a92f636166e92f78", "hex"),
    );
  });
});

describe("diskBytes()", () => {
  test("diskBytes() gives a byte for each character", () => {
    expect(diskBytes("\xe9\xff")).toEqual(Buffer.from([0xe9, 0xff]));
  });
});
