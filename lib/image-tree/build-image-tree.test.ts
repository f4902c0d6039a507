import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { describeImageTree } from "../../test/fixtures/describe-tree.js";
import {
  directory,
  file,
  hardLink,
  layer,
  opaque,
  replayMessage,
  special,
  symlink,
  whiteout,
} from "../../test/fixtures/layer-entries.js";
import type { Layer } from "../layer/index.js";
import { Code } from "../status/index.js";
import { buildImageTree, walkImageTree } from "./index.js";

/** Each path with what it is: content, target, or mode. */
function treeOf(...layers: Layer[]): Record<string, string> {
  const paths: Record<string, string> = {};
  for (const { path, node } of walkImageTree(buildImageTree(layers).root)) {
    if (node.type === "directory") paths[`${path}/`] = node.mode.toString(8);
    else if (node.type === "symlink") paths[path] = `-> ${node.target}`;
    else
      paths[path] =
        (node.sha256[0] ?? "") +
        (node.linkGroup === undefined ? "" : ` =${node.linkGroup}`);
  }
  return paths;
}

function replayError(path: string, detail: string) {
  const message = replayMessage(path, detail);
  return expect.objectContaining({ code: Code.InvalidArgument, message });
}

describe("buildImageTree()", () => {
  test("buildImageTree() counts what an image holds and what was dropped", () => {
    const entries = [
      directory("d"),
      file("d/f"),
      hardLink("h", "d/f"),
      symlink("l", "d"),
      file("g"),
    ];
    const { totals, dropped: sum } = buildImageTree([
      layer(...entries),
      layer(special("null")),
    ]);
    expect(totals).toEqual({
      files: 3,
      directories: 2,
      symlinks: 1,
      sizeBytes: 10,
    });
    expect(sum).toEqual({
      devices: 2,
      fifos: 4,
      xattrs: 6,
      setIds: 8,
      aufs: 10,
    });
  });

  test("buildImageTree() makes the directories that no entry speaks of", () => {
    expect(treeOf(layer(file("a/b/c")))).toEqual({
      "/": "755",
      "a/": "755",
      "a/b/": "755",
      "a/b/c": "0",
    });
    expect(
      treeOf(layer(file("a/b"), directory("a", 0o700), directory("", 0o711))),
    ).toEqual({ "/": "711", "a/": "700", "a/b": "0" });
  });

  test("buildImageTree() replaces what was at a path, but merges directories", () => {
    const lower = layer(
      file("f"),
      directory("d"),
      file("d/x"),
      symlink("l", "d"),
      directory("e"),
      file("e/x"),
    );
    const upper = layer(
      directory("f"),
      file("d", "1"),
      directory("l"),
      directory("e", 0o700),
      file("e/y", "1"),
    );
    expect(treeOf(lower, upper)).toEqual({
      ...{ "/": "755", "f/": "755", d: "1", "l/": "755" },
      ...{ "e/": "700", "e/x": "0", "e/y": "1" },
    });
  });

  test("buildImageTree() gives what a layer hides to none but lower layers", () => {
    const lower = layer(file("d/a"), file("d/b"), file("d/e/c"), file("f"));
    expect(
      treeOf(lower, layer(whiteout("d"), whiteout("f"), whiteout("none/x"))),
    ).toEqual({ "/": "755" });
    // Before and after what the same layer has, and beneath it.
    const upper = [file("d/b", "1"), file("d/e/n", "1")];
    const expected = {
      "/": "755",
      "d/": "755",
      "d/b": "1",
      "d/e/": "755",
      "d/e/n": "1",
      f: "0",
    };
    for (const hide of [opaque("d"), whiteout("d")]) {
      expect(treeOf(lower, layer(hide, ...upper))).toEqual(expected);
      expect(treeOf(lower, layer(...upper, hide))).toEqual(expected);
      expect(treeOf(lower, layer(...upper, hide, hide))).toEqual(expected);
    }
    expect(treeOf(layer(file("a"), whiteout("a")))).toEqual({
      "/": "755",
      a: "0",
    });
    expect(treeOf(lower, layer(opaque("")), layer(file("new")))).toEqual({
      "/": "755",
      new: "0",
    });
    expect(treeOf(lower, layer(opaque("f"), whiteout("f/x")))).toEqual(
      treeOf(lower),
    );
  });

  test("buildImageTree() hides through links to directories, not through links themselves", () => {
    const lower = layer(file("usr/lib/a"), symlink("lib", "usr/lib"));
    expect(treeOf(lower, layer(whiteout("lib/a")))).toEqual({
      "/": "755",
      "usr/": "755",
      "usr/lib/": "755",
      lib: "-> usr/lib",
    });
    expect(treeOf(lower, layer(opaque("lib")))).toEqual(
      treeOf(lower, layer(whiteout("lib/a"))),
    );
    expect(treeOf(lower, layer(whiteout("lib")))).toEqual(
      treeOf(layer(file("usr/lib/a"))),
    );
  });

  test("buildImageTree() follows links inside the root only", () => {
    const links = layer(
      symlink("up", "../../../a"),
      symlink("abs", "/a/./b//c/.."),
      symlink("a/back", "../up"),
    );
    expect(
      treeOf(links, layer(file("up/1"), file("abs/2"), file("a/back/3"))),
    ).toEqual({
      ...{ "/": "755", up: "-> ../../../a", abs: "-> /a/./b//c/.." },
      ...{ "a/": "755", "a/1": "0", "a/3": "0", "a/b/": "755", "a/b/2": "0" },
      "a/back": "-> ../up",
    });
  });

  test("buildImageTree() lets a device take its place and leaves it out", () => {
    const lower = layer(file("a"), directory("d"), file("d/x"), file("b"));
    const upper = layer(
      special("a"),
      special("d"),
      hardLink("linked", "a"),
      special("b"),
      file("b", "1"),
    );
    expect(treeOf(lower, upper)).toEqual({ "/": "755", b: "1" });
    const later = layer(hardLink("early", "null"), special("null"));
    expect(treeOf(later)).toEqual({ "/": "755" });
  });

  test("buildImageTree() keeps apart which hard links an image made", () => {
    const lower = layer(
      file("a"),
      hardLink("b", "a"),
      file("same"),
      symlink("s", "x"),
      hardLink("t", "s"),
    );
    expect(treeOf(lower)).toEqual({
      "/": "755",
      a: "0 =1",
      b: "0 =1",
      same: "0",
      s: "-> x",
      t: "-> x",
    });
    // A path that is hidden or replaced takes no other with it.
    expect(
      treeOf(lower, layer(hardLink("c", "b"), whiteout("b"), file("a", "1"))),
    ).toEqual({
      ...{ "/": "755", a: "1", c: "0 =1", same: "0", s: "-> x", t: "-> x" },
    });
  });

  test("buildImageTree() links to what a lower layer has until it is replaced, as umoci", () => {
    const upper = layer(hardLink("l", "t"), file("t", "1"));
    expect(treeOf(layer(file("t")), upper)).toEqual({
      "/": "755",
      l: "0 =1",
      t: "1",
    });
    expect(treeOf(upper)).toEqual({ "/": "755", l: "1 =1", t: "1 =1" });
  });

  test("buildImageTree() makes the same tree of a layer in any order", () => {
    const entries = [
      ...[
        directory("d", 0o700),
        file("d/m", "1"),
        hardLink("z", "d/m"),
        hardLink("a", "z"),
      ],
      ...[
        hardLink("d/k", "a"),
        hardLink("e/b", "d/k"),
        directory("e"),
        symlink("l", "d"),
      ],
    ];
    const expected = describeImageTree(buildImageTree([layer(...entries)]));
    const order = fc.shuffledSubarray(entries, { minLength: entries.length });
    fc.assert(
      fc.property(order, (shuffled) => {
        expect(describeImageTree(buildImageTree([layer(...shuffled)]))).toEqual(
          expected,
        );
      }),
    );
  });

  test.each([
    [
      "to itself",
      [hardLink("a", "a")],
      "a",
      "Hard link must not lead to itself",
    ],
    [
      "to itself, by another",
      [hardLink("a", "b"), hardLink("b", "a")],
      "a",
      "Hard link must not lead to itself",
    ],
    [
      "to itself, though it was a file",
      [file("a"), hardLink("a", "a")],
      "a",
      "Hard link must not lead to itself",
    ],
    [
      "to nothing",
      [hardLink("a", "b"), hardLink("b", "c")],
      "a",
      "Hard link must lead to an entry of the image",
    ],
    [
      "through a file",
      [file("f"), hardLink("a", "f/x")],
      "a",
      "Hard link must lead to an entry of the image",
    ],
    [
      "to a directory",
      [directory("d"), hardLink("a", "d")],
      "a",
      "Hard link must not lead to a directory",
    ],
    [
      "to the root",
      [hardLink("a", "")],
      "a",
      "Hard link must not lead to a directory",
    ],
    [
      "to a directory that comes later",
      [hardLink("a", "d"), directory("d")],
      "a",
      "Hard link must not lead to a directory",
    ],
  ])(
    "buildImageTree() rejects a hard link %s",
    (_what, entries, path, detail) => {
      expect(() => buildImageTree([layer(...entries)])).toThrow(
        replayError(path, detail),
      );
    },
  );

  test.each([
    [
      "a file",
      [file("a/f"), file("a/f/x/y")],
      "a/f/x/y",
      'Path leads through "a/f", which is no directory',
    ],
    [
      "a device",
      [special("a"), file("a/x")],
      "a/x",
      'Path leads through "a", which is no directory',
    ],
    [
      "a loop",
      [symlink("a", "b/c"), symlink("b", "/a"), file("a/x")],
      "a/x",
      "Path must not lead through a loop of symbolic links",
    ],
    [
      "a link to itself",
      [symlink("a", "a"), directory("a/x")],
      "a/x",
      "Path must not lead through a loop of symbolic links",
    ],
  ])(
    "buildImageTree() rejects a path through %s",
    (_what, entries, path, detail) => {
      expect(() => buildImageTree([layer(...entries)])).toThrow(
        replayError(path, detail),
      );
    },
  );
});
