// Right maps are read from archives of GNU tar and bsdtar (lib/image-tree).
import { expect, test } from "@jest/globals";
import {
  paxHeader,
  tarArchive,
  tarFile,
} from "../../test/fixtures/tar-archive.js";
import { Code } from "../status/index.js";
import { TarReader } from "./index.js";

async function contentOf(archive: Buffer): Promise<string> {
  let content = "";
  const reader = new TarReader({
    member: ({ name }) => {
      content += `${name}:`;
    },
    data: (chunk) => {
      content += chunk.toString("latin1");
    },
    end: () => undefined,
  });
  await reader.write(archive);
  await reader.end();
  return content;
}

/** A file of format 0.1 with this map, and so many bytes "x". */
function mapped(
  map: string,
  size: number,
  stored: number,
  count?: number,
): Buffer {
  const stretches = map === "" ? 0 : map.split(",").length / 2;
  const records = [
    ["GNU.sparse.size", `${size}`],
    ["GNU.sparse.numblocks", `${count ?? stretches}`],
    ["GNU.sparse.map", map],
    ["GNU.sparse.name", "real"],
  ] as const;
  return tarArchive(paxHeader(records), tarFile("f", "x".repeat(stored)));
}

function versioned(records: [string, string][], data: string): Buffer {
  const all = records.map(
    ([key, value]) => [`GNU.sparse.${key}`, value] as const,
  );
  return tarArchive(paxHeader(all), tarFile("f", data));
}

function oldSparse(
  raw: Record<number, string>,
  data: string,
  magic = "ustar  \0",
): Buffer {
  return tarArchive(tarFile("f", data, { type: "S", magic, raw }));
}

const one: [string, string][] = [
  ["major", "1"],
  ["minor", "0"],
  ["realsize", "4"],
];

test("TarReader fills the holes of a sparse file", async () => {
  expect(await contentOf(mapped("1,2,4,1", 6, 3))).toBe("real:\0xx\0x\0");
  expect(await contentOf(mapped("2,0", 2, 0))).toBe("real:\0\0");
  const map = "1\n2\n2\n".padEnd(512, "\0");
  expect(await contentOf(versioned(one, `${map}ab`))).toBe("f:\0\0ab");
  const old = { 386: "00000000001\x0000000000002\0", 483: "00000000004\0" };
  expect(await contentOf(oldSparse(old, "ab"))).toBe("f:\0ab\0");
});

test.each([
  [
    "stretches out of order",
    mapped("4,1,1,1", 6, 2),
    "Sparse map must be in order and within the file",
  ],
  [
    "stretches that overlap",
    mapped("0,3,2,1", 6, 4),
    "Sparse map must be in order and within the file",
  ],
  [
    "a stretch beyond the end",
    mapped("5,2", 6, 2),
    "Sparse map must be in order and within the file",
  ],
  [
    "a stretch too far out",
    mapped("9007199254740992,1", 6, 1),
    'Number must be whole and not negative: current value is "9007199254740992"',
  ],
  [
    "half a stretch",
    mapped("1,1,3", 6, 1, 1),
    "Sparse map must state offset and length in turn",
  ],
  [
    "bytes that no stretch has",
    mapped("0,1", 6, 2),
    "Sparse map must add up to the 2 bytes that are stored: current value is 1",
  ],
  [
    "a wrong number of stretches",
    mapped("0,1", 6, 1, 2),
    "Sparse map must have as many stretches as it states",
  ],
  [
    "an unknown version",
    versioned(
      [
        ["major", "2"],
        ["minor", "0"],
        ["size", "1"],
      ],
      "x",
    ),
    "Sparse format 2.0 is unknown",
  ],
  [
    "a file without a size",
    versioned(
      [
        ["map", "0,1"],
        ["numblocks", "1"],
      ],
      "x",
    ),
    "Sparse file has no size",
  ],
  [
    "a map that ends too early",
    versioned(one, "2\n0\n1\n"),
    "Sparse map is truncated",
  ],
  [
    "a map that is no text",
    versioned(one, "\x01".repeat(512)),
    `Number must be whole and not negative: current value is "${"\x01".repeat(40)}"`,
  ],
  [
    "a POSIX header of the old format",
    oldSparse({}, "", "ustar\x0000"),
    "Sparse file must have a GNU header",
  ],
  [
    "an old map that is no number",
    oldSparse({ 386: "9", 483: "00000000004\0" }, ""),
    "Sparse map must be in order and within the file",
  ],
  [
    "an old size that is no number",
    oldSparse({ 483: "9" }, ""),
    "Size of a sparse file must be a number",
  ],
])("TarReader rejects %s", async (_what, archive, detail) => {
  await expect(contentOf(archive)).rejects.toMatchObject({
    code: Code.InvalidArgument,
    message: `Failed to read entry "f": ${detail}`,
  });
});

test("TarReader rejects a sparse map of more than a mebibyte", async () => {
  const lines = `${2 ** 19}\n${"1\n".repeat(2 ** 20)}`;
  const old = tarFile("f", "", {
    type: "S",
    magic: "ustar  \0",
    raw: { 482: "\x01", 483: "00000000004\0" },
  });
  const more = Buffer.alloc(512);
  more[504] = 1;
  const blocks = Array.from({ length: 2049 }, () => more);
  for (const archive of [versioned(one, lines), tarArchive(old, ...blocks)]) {
    await expect(contentOf(archive)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message:
        'Failed to read entry "f": Sparse map must have at most 1048576 bytes',
    });
  }
});
