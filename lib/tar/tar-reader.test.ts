import { describe, expect, test } from "@jest/globals";
import {
  paxHeader,
  paxRecord,
  tarArchive,
  tarData,
  tarDirectory,
  tarFile,
  tarHardLink,
  tarHeader,
  tarSymlink,
} from "../../test/fixtures/tar-archive.js";
import { Code } from "../status/index.js";
import { type TarHandler, type TarMember, TarReader } from "./index.js";

interface ReadMember extends TarMember {
  readonly content: string;
}

/** Reads an archive in pieces, all members with their content. */
async function read(archive: Buffer, pieceBytes = 1000): Promise<ReadMember[]> {
  const members: ReadMember[] = [];
  let content = "";
  let file: TarMember | undefined;
  const handler: TarHandler = {
    member(member) {
      if (member.type === "file") file = member;
      else members.push({ ...member, content: "" });
    },
    data(chunk) {
      content += chunk.toString("latin1");
    },
    end() {
      if (file !== undefined) members.push({ ...file, content });
      content = "";
    },
  };
  const reader = new TarReader(handler);
  for (let at = 0; at < archive.length; at += pieceBytes) {
    await reader.write(archive.subarray(at, at + pieceBytes));
  }
  await reader.end();
  return members;
}

async function namesOf(archive: Buffer): Promise<string[]> {
  return (await read(archive)).map(({ name }) => name);
}

async function rejectionOf(archive: Buffer): Promise<string> {
  const error: unknown = await read(archive).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: Code.InvalidArgument });
  return (error as Error).message; // matched, so it is one
}

const gnu = { magic: "ustar  \0" };

/** Base-256 of a field's length, in two's complement. */
function base256(value: number, length: number): string {
  const bytes = Buffer.alloc(length, value < 0 ? 0xff : 0);
  bytes.writeBigInt64BE(BigInt(value), length - 8);
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return bytes.toString("latin1");
}

describe("TarReader", () => {
  test("TarReader reads each type with what belongs to it", async () => {
    const usual = { mode: 0o644, mtimeSeconds: 0, xattrs: 0, linkName: "" };
    const archive = tarArchive(
      tarFile("f", "data", { mode: 0o755, mtime: 7 }),
      tarDirectory("d/"),
      tarSymlink("s", "../t"),
      tarHardLink("h", "f"),
      tarHeader("c", { type: "3" }),
      tarHeader("b", { type: "4" }),
      tarHeader("p", { type: "6" }),
      tarFile("contiguous", "x", { type: "7" }),
      tarFile("old", "y", { type: "\0", magic: "" }),
      tarHeader("old directory/", { type: "\0", magic: "" }),
    );
    const none = { sizeBytes: 0, content: "" };
    const expected = [
      {
        type: "file",
        name: "f",
        content: "data",
        sizeBytes: 4,
        mode: 0o755,
        mtimeSeconds: 7,
      },
      { type: "directory", name: "d/", mode: 0o755, ...none },
      { type: "symlink", name: "s", mode: 0o777, linkName: "../t", ...none },
      { type: "hardLink", name: "h", linkName: "f", ...none },
      { type: "device", name: "c", ...none },
      { type: "device", name: "b", ...none },
      { type: "fifo", name: "p", ...none },
      { type: "file", name: "contiguous", content: "x", sizeBytes: 1 },
      { type: "file", name: "old", content: "y", sizeBytes: 1 },
      { type: "directory", name: "old directory/", ...none },
    ].map((member) => ({ ...usual, ...member }));
    for (const pieceBytes of [1, 511, 512, 513, 100_000]) {
      expect(await read(archive, pieceBytes)).toEqual(expected);
    }
  });

  test("TarReader puts names together as the header's format says", async () => {
    const prefix = "p".repeat(155);
    const name = "n".repeat(100);
    const archive = tarArchive(
      tarFile(name, "", { prefix }),
      tarFile("star", "", { prefix: "p", raw: { 508: "tar\0" } }),
      // Neither v7 nor GNU headers have a prefix; GNU has times there.
      tarFile("v7", "", { magic: "", prefix }),
      tarFile("gnu", "", { ...gnu, prefix: "00000000001\x0000000000002\0" }),
      // But Go's writer once put one there.
      tarFile("go", "", { ...gnu, prefix: "usr/share" }),
      tarFile("not ascii", "", { ...gnu, prefix: "\xc3\xa4/b" }),
      tarFile("caf\xe9", ""),
    );
    expect(await namesOf(archive)).toEqual([
      ...[`${prefix}/${name}`, "p/star", "v7", "gnu", "usr/share/go"],
      ...["not ascii", "caf\xe9"],
    ]);
  });

  test("TarReader lets extended headers override the header", async () => {
    const archive = tarArchive(
      paxHeader([
        ["path", "pax\xe9"],
        ["size", "3"],
        ["mtime", "-1.5"],
        ["uid", "3000000"],
        ["SCHILY.xattr.security.capability", "\x01\0\n="],
        ["LIBARCHIVE.xattr.user.a", "b"],
        ["comment", "old"],
        ["comment", ""],
      ]),
      // Whoever believes the header reads other members from here on.
      tarFile("short", "abc", { size: 512 }),
      tarHeader("././@LongLink", { ...gnu, type: "L", size: 5 }),
      tarData("long\0"),
      tarHeader("././@LongLink", { ...gnu, type: "K", size: 3 }),
      tarData("to\0"),
      tarHardLink("short", "t"),
      paxHeader([["linkpath", "there"]]),
      tarSymlink("s", "here"),
      tarFile("after", ""),
    );
    expect(await read(archive)).toMatchObject([
      {
        name: "pax\xe9",
        content: "abc",
        sizeBytes: 3,
        mtimeSeconds: -2,
        xattrs: 2,
      },
      { type: "hardLink", name: "long", linkName: "to", xattrs: 0 },
      { type: "symlink", name: "s", linkName: "there" },
      { name: "after", mtimeSeconds: 0 },
    ]);
  });

  test("TarReader sees no content where Go sees none", async () => {
    const archive = tarArchive(
      tarFile("f", "data"),
      ...["1", "2", "3", "4", "5", "6"].map((type) =>
        tarHeader(`size ${type}`, { type, linkName: "f", size: 700 }),
      ),
      tarFile("seen", ""),
    );
    expect(await namesOf(archive)).toEqual([
      ...["f", "size 1", "size 2", "size 3", "size 4", "size 5", "size 6"],
      "seen",
    ]);
  });

  test("TarReader reads numbers in octal and in base-256", async () => {
    const archive = tarArchive(
      tarFile("a", "", { raw: { 136: base256(2 ** 40, 12) } }),
      tarFile("b", "", { raw: { 136: base256(-5, 12) } }),
      tarFile("c", "xyz", { raw: { 124: base256(3, 12) } }),
      tarFile("d", "xyz", { raw: { 124: "  3 \0\0\0\0\0\0\0\0" } }),
      tarFile("e", "", { raw: { 124: "\0".repeat(12) } }),
    );
    expect(await read(archive)).toMatchObject([
      { name: "a", mtimeSeconds: 2 ** 40 },
      { name: "b", mtimeSeconds: -5 },
      { name: "c", content: "xyz" },
      { name: "d", content: "xyz" },
      { name: "e", content: "" },
    ]);
  });

  test("TarReader accepts a checksum over signed bytes", async () => {
    const archive = tarArchive(tarFile("\xe9", ""));
    const sum = Number.parseInt(archive.toString("latin1", 148, 154), 8) - 256;
    archive.write(sum.toString(8).padStart(6, "0"), 148, "latin1");
    expect(await namesOf(archive)).toEqual(["\xe9"]);
  });

  test("TarReader stops where Go and GNU tar stop", async () => {
    const file = tarFile("f", "1");
    const hidden = tarFile("hidden", "2");
    const zeros = Buffer.alloc(512);
    const noise = Buffer.alloc(700, 1);
    for (const archive of [
      file,
      Buffer.concat([file, zeros]),
      Buffer.concat([file, zeros, zeros, hidden, noise]),
    ]) {
      expect(await namesOf(archive)).toEqual(["f"]);
    }
    expect(await namesOf(Buffer.alloc(0))).toEqual([]);
    expect(await rejectionOf(Buffer.concat([file, zeros, hidden]))).toBe(
      "Failed to read the archive at byte 1024: Block of zeros must be followed by another one",
    );
  });

  test("TarReader takes an archive that ends with its last file's content", async () => {
    // As umoci's "insert" writes them: 512 bytes of header, 5 of content.
    const archive = tarFile("f", "hello").subarray(0, 517);
    expect(await namesOf(archive)).toEqual(["f"]);
    expect(await rejectionOf(archive.subarray(0, 516))).toBe(
      'Failed to read entry "f": Archive is truncated',
    );
  });

  test("TarReader rejects an archive that is cut anywhere but after a content", async () => {
    const parts = [
      tarFile("a", "x".repeat(600)),
      Buffer.concat([paxHeader([["path", "p"]]), tarFile("b", "y")]),
    ];
    const archive = Buffer.concat(parts);
    // Of the first file there are 600 bytes, then padding up to the next.
    const isWhole = (length: number) =>
      length === 0 ||
      (length >= 512 + 600 && length <= (parts[0]?.length ?? 0)) ||
      length > archive.length - 512;
    for (let length = 0; length <= archive.length; length += 128) {
      const cut = read(archive.subarray(0, length));
      if (isWhole(length)) await cut;
      else await expect(cut).rejects.toThrow(/truncated$|has no entry$/);
    }
  });

  test("TarReader passes the handler's failure on, with the entry's name", async () => {
    const reader = new TarReader({
      member: () => Promise.reject(new Error("disk is on fire")),
      data: () => undefined,
      end: () => undefined,
    });
    await expect(reader.write(tarFile('a"\n', ""))).rejects.toMatchObject({
      code: Code.Internal,
      message: 'Failed to read entry "a\\"\\x0a": disk is on fire',
    });
  });
});

describe("TarReader rejects", () => {
  const inEntry = 'Failed to read entry "f": ';
  const inArchive = "Failed to read the archive at byte 0: ";
  const file = tarFile("f", "1");
  const extended = (text: string, type = "x") =>
    tarArchive(tarFile("x", text, { type }), file);
  test.each([
    [
      "a wrong checksum",
      tarArchive(tarHeader("f").fill(1, 0, 1)),
      `${inArchive}Checksum of the header is wrong`,
    ],
    [
      "an unknown type",
      tarArchive(tarHeader("f", { type: "Z" })),
      `${inEntry}Type must be one that we know: current value is 0x5a`,
    ],
    [
      "a negative size",
      tarArchive(tarFile("f", "", { raw: { 124: base256(-1, 12) } })),
      `${inArchive}Size must not be negative`,
    ],
    [
      "a size beyond all bounds",
      tarArchive(tarFile("f", "", { raw: { 124: base256(2 ** 60, 12) } })),
      `${inArchive}Header field "size" must be a number`,
    ],
    [
      "a size that is no number",
      tarArchive(tarFile("f", "", { raw: { 124: "0000000008 " } })),
      `${inArchive}Header field "size" must be a number`,
    ],
    [
      "an owner that is no number",
      tarArchive(tarFile("f", "", { raw: { 108: "root" } })),
      `${inArchive}Header field "uid" must be a number`,
    ],
    [
      "a PAX size that is negative",
      tarArchive(paxHeader([["size", "-1"]]), file),
      `${inEntry}Number must be whole and not negative: current value is "-1"`,
    ],
    [
      "a PAX time that is none",
      tarArchive(paxHeader([["mtime", "noon"]]), file),
      `${inEntry}Record of a time must be a number`,
    ],
    [
      "a NUL in a PAX path",
      tarArchive(paxHeader([["path", "a\0b"]]), file),
      `${inArchive}Record "path" must not hold a NUL`,
    ],
    [
      "a record longer than its header",
      extended("99 path=a\n"),
      `${inArchive}Record of an extended header is malformed`,
    ],
    [
      "a record without an end",
      extended(`${paxRecord("path", "a").slice(0, -1)} `),
      `${inArchive}Record of an extended header is malformed`,
    ],
    [
      "a record without a key",
      extended("5 =a\n"),
      `${inArchive}Record of an extended header is malformed`,
    ],
    [
      "a record without a length",
      extended("path=a\n"),
      `${inArchive}Record of an extended header is malformed`,
    ],
    [
      "a large extended header",
      tarArchive(tarHeader("x", { type: "x", size: 2 ** 20 + 1 })),
      `${inArchive}Extended header must have at most 1048576 bytes: current value is 1048577`,
    ],
    [
      "two extended headers",
      tarArchive(paxHeader([["path", "a"]]), paxHeader([["path", "b"]]), file),
      "Failed to read the archive at byte 1024: Entry has two extended headers of one kind",
    ],
    [
      "an extended header of nothing",
      tarArchive(paxHeader([["path", "a"]])),
      "Failed to read the archive at byte 1024: Extended header has no entry",
    ],
    [
      "a global path",
      tarArchive(paxHeader([["path", "a"]], "g"), file),
      `${inArchive}Global header must not hold "path"`,
    ],
    [
      "a global size",
      tarArchive(paxHeader([["size", "0"]], "g"), file),
      `${inArchive}Global header must not hold "size"`,
    ],
    [
      "a global header in between",
      tarArchive(
        paxHeader([["path", "a"]]),
        paxHeader([["comment", "a"]], "g"),
        file,
      ),
      "Failed to read the archive at byte 1024: Global header is misplaced",
    ],
  ])("%s", async (_what, archive, message) => {
    expect(await rejectionOf(archive)).toBe(message);
  });

  test("nothing in a global header that changes no entry", async () => {
    const global = paxHeader(
      [
        ["comment", "0123"],
        ["mtime", "5"],
      ],
      "g",
    );
    expect(await read(tarArchive(global, file))).toMatchObject([
      { name: "f", mtimeSeconds: 0 },
    ]);
  });
});
