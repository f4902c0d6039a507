import { describe, expect, test } from "@jest/globals";
import { directory, file, layer } from "../../test/fixtures/layer-entries.js";
import { buildImageTree, walkImageTree } from "./index.js";

describe("walkImageTree()", () => {
  test("walkImageTree() goes by the bytes of names, directories before what is in them", () => {
    const names = ["a", "a.b", "a/z", "B", "\xff", "\x7f", "a-"];
    const { root } = buildImageTree([
      layer(
        ...names.map((name) => (name === "a" ? directory(name) : file(name))),
      ),
    ]);
    const paths = [...walkImageTree(root)].map(({ path }) => path);
    expect(paths).toEqual(["", "B", "a", "a/z", "a-", "a.b", "\x7f", "\xff"]);
  });
});
