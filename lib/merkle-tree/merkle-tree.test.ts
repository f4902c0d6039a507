import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  Directory,
  type FileNode,
  Tree,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";
import { Code } from "../status/index.js";
import {
  decodeDirectory,
  encodeDirectory,
  encodeTree,
  resolveInputRootPath,
} from "./index.js";

const content = Digest.of(Buffer.from("content")).toProto();

function file(name: string): FileNode {
  return {
    name,
    digest: content,
    isExecutable: false,
    nodeProperties: undefined,
  };
}

function link(name: string, target: string) {
  return { name, target, nodeProperties: undefined };
}

function encode(directory: Partial<Directory>) {
  const data = Directory.encode(Directory.fromPartial(directory)).finish();
  return { digest: Digest.of(data), data };
}

describe("encodeDirectory()", () => {
  test("encodeDirectory() gives the bytes that another implementation gives", () => {
    // Made with Python's protobuf of the public remote_execution.proto.
    const { digest, data } = encodeDirectory({
      files: [
        { ...file("b"), digest: { hash: "00".repeat(32), sizeBytes: 5 } },
        {
          ...file("a"),
          digest: { hash: "11".repeat(32), sizeBytes: 300 },
          isExecutable: true,
        },
      ],
      directories: [
        { name: "d", digest: { hash: "22".repeat(32), sizeBytes: 0 } },
      ],
      symlinks: [link("l", "../t")],
    });
    expect(Buffer.from(data).toString("base64")).toBe(
      "CkwKAWESRQpAMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMT" +
        "ExMTExMTExMTExMTExMTExMTExMRCsAiABCkkKAWISRApAMDAwMDAwMDAwMDAwMDAwMDAw" +
        "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMBAFEkcKAW" +
        "QSQgpAMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy" +
        "MjIyMjIyMjIyMjIyMjIyMhoJCgFsEgQuLi90",
    );
    expect(digest.toString()).toBe(
      "eb25e6e2a4811b8041c8b381c127658736fa98e2d6c19e023ce20fcb2877e555/237",
    );
  });

  test("encodeDirectory() gives equal digests for any order of nodes", () => {
    const names = fc.uniqueArray(
      fc.string({ minLength: 1, maxLength: 8, unit: "grapheme" }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(names, fc.nat(), (all, shift) => {
        const usable = all.filter((name) => !/^\.{1,2}$|[/\0]/.test(name));
        const files = usable.map(file);
        const turned = files.map(
          (_, i) => files[(i + shift) % files.length] ?? file("x"),
        );
        const one = encodeDirectory({ files });
        const other = encodeDirectory({ files: turned });
        expect(other.digest.key).toBe(one.digest.key);
        expect(decodeDirectory(one.digest, one.data)).toMatchObject({
          files: one.directory.files,
        });
      }),
    );
  });

  test("encodeDirectory() sorts by bytes, where JavaScript does not", () => {
    const { directory } = encodeDirectory({
      files: [file("\u{1f600}"), file("\uffee"), file("z")],
    });
    const names = directory.files.map(({ name }) => name);
    expect(names).toEqual(["z", "\uffee", "\u{1f600}"]);
  });
});

describe("decodeDirectory()", () => {
  const long = "x".repeat(256);

  test.each([
    ["an empty name", { files: [file("")] }],
    ["the name .", { files: [file(".")] }],
    ["the name ..", { directories: [{ name: "..", digest: content }] }],
    ["a slash", { symlinks: [link("a/b", "t")] }],
    ["a NUL byte", { files: [file("a\0b")] }],
    ["a name of 256 bytes", { files: [file(long)] }],
    ["a name of 86 × 3 bytes", { files: [file("€".repeat(86))] }],
    ["names out of order", { files: [file("b"), file("a")] }],
    ["a name twice", { files: [file("a"), file("a")] }],
    [
      "a name as file and directory",
      { files: [file("a")], directories: [{ name: "a", digest: content }] },
    ],
    [
      "a name as file and symlink",
      { files: [file("a")], symlinks: [link("a", "b")] },
    ],
    ["a symlink without target", { symlinks: [link("a", "")] }],
    ["a file without digest", { files: [{ ...file("a"), digest: undefined }] }],
    [
      "a digest that is none",
      { files: [{ ...file("a"), digest: { hash: "xyz", sizeBytes: 1 } }] },
    ],
  ])("decodeDirectory() refuses %s", (_, directory) => {
    const { digest, data } = encode(directory);
    expect(() => decodeDirectory(digest, data)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message: expect.stringMatching(
          new RegExp(`^Failed to read Directory "${digest}": `),
        ),
      }),
    );
  });

  test("decodeDirectory() says what is wrong, and where", () => {
    const { digest, data } = encode({ files: [file("b"), file("a")] });
    expect(() => decodeDirectory(digest, data)).toThrow(
      `Failed to read Directory "${digest}": Names must be sorted and used once: "a" comes after "b"`,
    );
  });

  test("decodeDirectory() refuses bytes that are no message", () => {
    const data = Buffer.from([0x0a, 0xff]);
    expect(() => decodeDirectory(Digest.of(data), data)).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument }),
    );
  });
});

test("encodeTree() holds each Directory once, parents first", () => {
  const leaf = encodeDirectory({ files: [file("f")] });
  const node = (name: string, { digest }: { digest: Digest }) => ({
    name,
    digest: digest.toProto(),
  });
  const middle = encodeDirectory({ directories: [node("leaf", leaf)] });
  const root = encodeDirectory({
    directories: [node("a", leaf), node("b", middle), node("c", leaf)],
  });
  const { digest, data } = encodeTree(root, [leaf, middle, leaf, root]);
  expect(digest.key).toBe(Digest.of(data).key);
  const tree = Tree.decode(data);
  expect(tree.root).toMatchObject(root.directory);
  expect(
    tree.children.map((each) => Digest.of(Directory.encode(each).finish()).key),
  ).toEqual([middle.digest.key, leaf.digest.key]);
});

describe("resolveInputRootPath()", () => {
  test.each([
    ["a/b", "", "a/b"],
    ["", "", ""],
    [".", "x/y", "x/y"],
    ["./a//b/.", "x", "x/a/b"],
    ["../z", "x/y", "x/z"],
    ["../../z", "x/y", "z"],
    ["..", "x", ""],
    ["a/..", "", ""],
  ])("resolveInputRootPath(%j) from %j is %j", (path, base, resolved) => {
    expect(resolveInputRootPath(path, { what: "Output path", base })).toBe(
      resolved,
    );
  });

  test.each([
    ["/etc/passwd", "", "be relative"],
    ["..", "", "stay inside the input root"],
    ["a/../../b", "", "stay inside the input root"],
    ["../../../x/y/z", "x/y", "stay inside the input root"],
    ["a\0b", "", "hold no NUL byte"],
  ])("resolveInputRootPath(%j) from %j is refused", (path, base, why) => {
    expect(() =>
      resolveInputRootPath(path, { what: "Output path", base }),
    ).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message: `Output path must ${why}: current value is ${JSON.stringify(path)}`,
      }),
    );
  });
});
