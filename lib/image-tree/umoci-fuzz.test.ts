// Random and damaged layers, held against umoci: what we accept has to be the
// tree that it makes. BERTH_FUZZ_RUNS=n makes n runs of each, not a few.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { describeImageTree } from "../../test/fixtures/describe-tree.js";
import { readTestLayer } from "../../test/fixtures/read-test-layer.js";
import {
  paxHeader,
  tarArchive,
  tarData,
  tarDirectory,
  tarFile,
  tarHardLink,
  tarHeader,
  tarSymlink,
  withChecksum,
} from "../../test/fixtures/tar-archive.js";
import { unpackWithUmoci } from "../../test/fixtures/umoci.js";
import { StatusError } from "../status/index.js";
import { buildImageTree } from "./index.js";

const runs = Number(process.env.BERTH_FUZZ_RUNS ?? 25);
// The same inputs on every run, unless another seed is asked for: how many of
// a few are accepted by both would be chance.
const options = {
  numRuns: runs,
  seed: Number(process.env.BERTH_FUZZ_SEED ?? 1),
};
const timeoutMs = 60_000 + runs * 1000;

// What we accept and umoci does not, each for a reason.
const acceptedByUsOnly = [
  // A hard link that comes before its target.
  /: link: no such file or directory$/,
  // Contiguous files, GNU's old sparse files, global headers.
  /unknown typeflag '\\x(?:37|53|67)'$/,
];

/** How many random images both accepted: a test of rejections tests little. */
let agreed = 0;

async function expectAgreement(layers: readonly Buffer[]): Promise<void> {
  const ours = await describeOurs(layers);
  if (ours === undefined) return; // rejected: we may be stricter
  const theirs = await unpackWithUmoci(layers);
  const { error } = theirs;
  if (error !== undefined) {
    const text = error.trim();
    if (acceptedByUsOnly.some((pattern) => pattern.test(text))) return;
  }
  expect(theirs).toEqual({ lines: ours });
  agreed++;
}

async function describeOurs(
  layers: readonly Buffer[],
): Promise<string[] | undefined> {
  try {
    const read = [];
    for (const layer of layers) read.push(await readTestLayer(layer));
    return describeImageTree(buildImageTree(read));
  } catch (error) {
    expect(error).toBeInstanceOf(StatusError);
    return undefined;
  }
}

const letter = fc.constantFrom("a", "b", "c", "d");
const odd = fc.constantFrom("..", ".", "");
const component = fc.oneof(
  { arbitrary: letter, weight: 9 },
  { arbitrary: odd, weight: 1 },
);
const path = fc
  .tuple(fc.array(component, { maxLength: 2 }), letter)
  .map(([components, last]) => [...components, last].join("/"));
const hidden = fc
  .tuple(
    fc.array(component, { maxLength: 2 }),
    fc.constantFrom(".wh.a", ".wh.b", ".wh.c", ".wh..wh..opq"),
  )
  .map(([components, name]) => [...components, name].join("/"));
const target = fc
  .tuple(fc.constantFrom("", "/", "../", "../../"), path)
  .map(([prefix, rest]) => prefix + rest);
const member = fc.oneof(
  fc
    .tuple(path, fc.string({ maxLength: 5 }))
    .map(([at, data]) => tarFile(at, data)),
  path.map((at) => tarDirectory(at)),
  fc.tuple(path, target).map(([at, to]) => tarSymlink(at, to)),
  fc.tuple(path, path).map(([at, to]) => tarHardLink(at, to)),
  hidden.map((at) => tarFile(at)),
  path.map((at) => tarHeader(at, { type: "6" })),
);
const layers = fc.array(fc.array(member, { maxLength: 8 }), {
  minLength: 1,
  maxLength: 3,
});

const seed = tarArchive(
  tarDirectory("./"),
  tarDirectory("etc/", { mode: 0o700 }),
  tarFile("etc/passwd", "root"),
  paxHeader([
    ["path", "etc/long name"],
    ["mtime", "12.5"],
    ["comment", "b"],
  ]),
  tarFile("etc/short", "x".repeat(600)),
  tarHeader("././@LongLink", { type: "L", size: 9 }),
  tarData("usr/long\0"),
  tarFile("usr/l", "1", { magic: "ustar  \0" }),
  tarSymlink("lib", "usr/lib"),
  tarFile("lib/a", "2", { prefix: "usr" }),
  tarHardLink("b", "etc/passwd"),
  tarFile("etc/.wh.gone"),
  tarHeader("dev/null", { type: "3", raw: { 329: "0000001\0" } }),
);
const position = fc.nat(seed.length - 1);
const headerPosition = fc.nat(seed.length / 512 - 1).map((n) => n * 512);
/** A change to the bytes of an archive. */
type Damage = (archive: Buffer) => Buffer;
const damage: fc.Arbitrary<Damage> = fc.oneof(
  // A bit anywhere, and any byte of a header whose checksum is then right.
  fc.tuple(position, fc.nat(7)).map(
    ([at, bit]): Damage =>
      (archive) => {
        archive[at] = (archive[at] ?? 0) ^ (1 << bit);
        return archive;
      },
  ),
  fc.tuple(headerPosition, fc.nat(511), fc.nat(255)).map(
    ([start, offset, byte]): Damage =>
      (archive) => {
        archive[start + offset] = byte;
        withChecksum(archive.subarray(start, start + 512));
        return archive;
      },
  ),
  // Blocks copied over others, into others, left out, and cut off.
  fc.tuple(headerPosition, headerPosition).map(
    ([from, to]): Damage =>
      (archive) => {
        archive.copyWithin(to, from, from + 512);
        return archive;
      },
  ),
  fc.tuple(headerPosition, headerPosition).map(
    ([from, to]): Damage =>
      (archive) =>
        Buffer.concat([
          archive.subarray(0, to),
          archive.subarray(from, from + 512),
          archive.subarray(to),
        ]),
  ),
  headerPosition.map(
    (at): Damage =>
      (archive) =>
        Buffer.concat([archive.subarray(0, at), archive.subarray(at + 512)]),
  ),
  position.map(
    (at): Damage =>
      (archive) =>
        archive.subarray(0, at),
  ),
  // A field of one header in another.
  fc
    .tuple(
      headerPosition,
      headerPosition,
      fc.constantFrom(
        [0, 100],
        [124, 12],
        [156, 1],
        [157, 100],
        [257, 8],
        [345, 155],
      ),
    )
    .map(
      ([from, to, [offset = 0, length = 0]]): Damage =>
        (archive) => {
          const source = from + offset;
          archive.copyWithin(to + offset, source, source + length);
          withChecksum(archive.subarray(to, to + 512));
          return archive;
        },
    ),
);

describe("layers of random entries", () => {
  test(
    "what is accepted is the tree that umoci makes",
    async () => {
      const property = fc.asyncProperty(layers, async (members) => {
        await expectAgreement(members.map((parts) => tarArchive(...parts)));
      });
      agreed = 0;
      await fc.assert(property, options);
      expect(agreed).toBeGreaterThan(runs / 10);
    },
    timeoutMs,
  );
});

describe("damaged layers", () => {
  test(
    "what is accepted is the tree that umoci makes",
    async () => {
      await expectAgreement([seed]);
      expect(await describeOurs([seed])).toHaveLength(10);
      const damages = fc.array(damage, { minLength: 1, maxLength: 3 });
      const property = fc.asyncProperty(damages, async (changes) => {
        let archive = Buffer.from(seed);
        for (const change of changes) archive = Buffer.from(change(archive));
        await expectAgreement([archive]);
      });
      await fc.assert(property, options);
    },
    timeoutMs,
  );
});
