import { expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { parseWhiteout } from "./whiteout.js";

test.each([
  ["a/b", "entry", "a/b"],
  ["a/.wh", "entry", "a/.wh"],
  ["a.wh.b", "entry", "a.wh.b"],
  // A directory of that name hides nothing (umoci, containerd).
  ["a/.wh.b/c", "entry", "a/.wh.b/c"],
  [".wh.a", "whiteout", "a"],
  ["a/b/.wh.c", "whiteout", "a/b/c"],
  ["a/.wh....", "whiteout", "a/..."],
  ["a/.wh..b", "whiteout", "a/.b"],
  [".wh..wh..opq", "opaque", ""],
  ["a/b/.wh..wh..opq", "opaque", "a/b"],
  [".wh..wh.aufs", "aufs", ".wh..wh.aufs"],
  ["a/.wh..wh.orph", "aufs", "a/.wh..wh.orph"],
  [".wh..wh.plnk/1.2", "aufs", ".wh..wh.plnk/1.2"],
])("parseWhiteout() takes %p for %s of %p", (name, kind, path) => {
  expect(parseWhiteout(name)).toEqual({ kind, path });
});

test.each([".wh.", ".wh..", ".wh..."])(
  "parseWhiteout() rejects %p at any depth",
  (name) => {
    const rejection = expect.objectContaining({
      code: Code.InvalidArgument,
      message: `Whiteout must name what it hides: current value is "${name}"`,
    });
    expect(() => parseWhiteout(name)).toThrow(rejection);
    expect(() => parseWhiteout(`a/b/${name}`)).toThrow(rejection);
  },
);
