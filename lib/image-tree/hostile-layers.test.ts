import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { describeImageTree } from "../../test/fixtures/describe-tree.js";
import { readHostileCases } from "../../test/fixtures/hostile-cases.js";
import { readTestLayer } from "../../test/fixtures/read-test-layer.js";
import { unpackWithUmoci } from "../../test/fixtures/umoci.js";
import { Code } from "../status/index.js";
import { buildImageTree, type ImageTree } from "./index.js";

let victim: string;
let cases: Map<string, Buffer[]>;

beforeAll(() => {
  victim = mkdtempSync(join(tmpdir(), "berth-victim-"));
  cases = readHostileCases(victim);
});

afterAll(() => rmSync(victim, { recursive: true }));

async function build(name: string): Promise<ImageTree> {
  const layers = await Promise.all(
    (cases.get(name) ?? []).map((blob) => readTestLayer(blob)),
  );
  return buildImageTree(layers);
}

const accepted = [
  ...["a01-abs", "a01-up", "a01-abs2", "a01-2layers", "a05-names"],
  ...["a06-opqfirst", "a06-opqlate", "a06-whadd", "a06-whdir"],
  ...["a11-usrmerge", "a11-absmerge", "a13-chain", "a15-dev", "a15-setid"],
];

// Entry and detail: what an operator reads.
const rejected: Record<string, string> = {
  "a03-rel": 'entry "loot": Hard link must lead to an entry of the image',
  "a03-abs": 'entry "loot": Hard link must lead to an entry of the image',
  "a03-self": 'entry "s": Hard link must not lead to itself',
  "a05-empty": 'entry "": Root must be a directory: current value is a file',
  "a05-dotdot": 'entry "..": Root must be a directory: current value is a file',
  "a08-wh":
    'entry "etc/.wh.": Whiteout must name what it hides: current value is ".wh."',
  "a08-whdot":
    'entry "etc/.wh..": Whiteout must name what it hides: current value is ".wh.."',
  "a08-whdotdot":
    'entry "etc/.wh...": Whiteout must name what it hides: current value is ".wh..."',
  "a08-rootdot":
    'entry ".wh...": Whiteout must name what it hides: current value is ".wh..."',
  "a10-rootsym":
    'entry ".": Root must be a directory: current value is a symlink',
  "a10-rootfile":
    'entry ".": Root must be a directory: current value is a file',
  "a17-paxbomb":
    "the archive at byte 0: Extended header must have at most 1048576 bytes: current value is 67108882",
  "a17-longname":
    "the archive at byte 0: Extended header must have at most 1048576 bytes: current value is 67108864",
  "a17-trunc": 'entry "a": Archive is truncated',
  "a17-badsum": "the archive at byte 1024: Checksum of the header is wrong",
  "a17-unktype":
    'entry "u": Type must be one that we know: current value is 0x5a',
};

describe("hostile layers", () => {
  test("every public case has its expectation here", () => {
    expect([...cases.keys()].sort()).toEqual(
      [...accepted, ...Object.keys(rejected)].sort(),
    );
  });

  test.each(accepted)("%s becomes the tree that umoci makes", async (name) => {
    const tree = await build(name);
    const oracle = await unpackWithUmoci(cases.get(name) ?? []);
    expect({ lines: describeImageTree(tree) }).toEqual(oracle);
  });

  test.each(Object.entries(rejected))("%s is rejected", async (name, text) => {
    const error: unknown = await build(name).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: Code.InvalidArgument });
    const { message } = error as Error; // matched, so it is one
    expect(message.replace(/sha256:[0-9a-f]{64}/, "DIGEST")).toBe(
      `Failed to ${verbOf(name)} layer "DIGEST": Failed to ${verbOf(name)} ${text}`,
    );
  });

  test("devices, FIFOs, attributes and set-ID bits are counted", async () => {
    expect((await build("a15-dev")).dropped).toEqual({
      ...{ devices: 2, fifos: 1, xattrs: 0, setIds: 0, aufs: 0 },
    });
    expect((await build("a15-setid")).dropped).toEqual({
      ...{ devices: 0, fifos: 0, xattrs: 1, setIds: 2, aufs: 0 },
    });
  });

  test("no host file was touched", () => {
    expect(readdirSync(victim)).toEqual([]);
  });
});

// Only the tree knows where a hard link leads.
function verbOf(name: string): string {
  return name.startsWith("a03-") ? "replay" : "read";
}
