import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type TestLayer, testLayer } from "../../test/fixtures/image-layers.js";
import {
  describeCasTree,
  type ImportScenario,
  importContext,
  startImportScenario,
} from "../../test/fixtures/import-scenario.js";
import {
  tarArchive,
  tarDirectory,
  tarFile,
  tarHardLink,
  tarSymlink,
} from "../../test/fixtures/tar-archive.js";
import { noise } from "../../test/fixtures/test-image.js";
import { Digest } from "../digest/index.js";
import type { LayerCompression } from "../layer/index.js";
import { walkTree } from "../merkle-tree/index.js";
import { Code } from "../status/index.js";
import type { ImportedImage } from "./index.js";

let scenario: ImportScenario;

beforeEach(async () => {
  scenario = await startImportScenario();
});

afterEach(async () => {
  expect(scenario.spooled()).toEqual([]);
  await scenario.stop();
});

const reference = `registry.example/image@sha256:${"1".repeat(64)}`;

function importImage(
  layers: readonly TestLayer[],
  signal: AbortSignal = new AbortController().signal,
): Promise<ImportedImage> {
  return scenario.importer.import(
    { reference, layers },
    { ...importContext, signal },
  );
}

const large = noise(9_000_000);
const parts = [
  tarDirectory("bin/"),
  tarFile("bin/sh", "#!", { mode: 0o755, mtime: 5 }),
  tarHardLink("bin/ash", "bin/sh"),
  tarSymlink("sh", "bin/sh"),
  tarFile("empty"),
  tarFile("large", large),
];
const base = tarArchive(...parts);
const upper = tarArchive(tarFile("etc/name", "one"), tarFile(".wh.empty"));

const hashOf = (data: string | Buffer) =>
  Digest.of(Buffer.from(data as string)).hash; // ignored for a Buffer

describe("ImageImporter", () => {
  test("ImageImporter stores files and Directories of an image", async () => {
    const imported = await importImage([testLayer(base), testLayer(upper)]);
    expect(await describeCasTree(scenario.cas, imported.rootDigest)).toEqual([
      "directory bin 755",
      `file bin/ash x 755 @5 ${hashOf("#!")}`,
      `file bin/sh x 755 @5 ${hashOf("#!")}`,
      "directory etc 755",
      `file etc/name - 644 @0 ${hashOf("one")}`,
      `file large - 644 @0 ${hashOf(large)}`,
      "symlink sh -> bin/sh",
    ]);
    expect(imported.totals).toEqual({
      files: 4,
      directories: 3,
      symlinks: 1,
      sizeBytes: 2 + 3 + large.length,
    });
    // The small and the large file, three Directories.
    expect(imported.stored.blobs).toBe(6);
    const digests = new Set([...imported.digests].map(({ key }) => key));
    expect(digests.size).toBe(6);
    expect(digests).toContain(imported.rootDigest.key);
    const context = importContext;
    for await (const { digest } of walkTree(scenario.cas, imported.rootDigest, {
      context,
    })) {
      expect(digests).toContain(digest.key);
    }
  });

  test("ImageImporter gives one digest for any order and compression", async () => {
    const roots = new Set<string>();
    const compressions: LayerCompression[] = ["none", "gzip", "zstd"];
    for (const [turn, compression] of compressions.entries()) {
      const links = parts.slice(2).reverse();
      const archive = tarArchive(
        ...parts.slice(0, 2),
        ...links.slice(turn),
        ...links.slice(0, turn),
      );
      const layers = [testLayer(archive, compression), testLayer(upper)];
      roots.add(String((await importImage(layers)).rootDigest));
    }
    // The same files from one layer.
    const flat = tarArchive(
      ...parts.filter((_, at) => at !== 4),
      tarDirectory("etc"),
      tarFile("etc/name", "one"),
    );
    roots.add(String((await importImage([testLayer(flat)])).rootDigest));
    expect(roots.size).toBe(1);
  });

  test("ImageImporter reads a layer once, and only what is new", async () => {
    const below = testLayer(base, "gzip");
    const first = await importImage([below, testLayer(upper)]);
    const other = testLayer(tarArchive(tarFile("etc/name", "two")));
    const second = await importImage([below, other]);
    expect(below.opened).toBe(1);
    expect(other.opened).toBe(1);
    // The file, and the Directories on its way; "empty" is there again.
    expect(second.stored.blobs).toBe(3);
    expect(second.rootDigest).not.toEqual(first.rootDigest);
  });

  test.each(["file", "Directory"])(
    "ImageImporter repairs a %s that CAS lost",
    async (what) => {
      const layers = [testLayer(base), testLayer(upper)];
      const { rootDigest } = await importImage(layers);
      const lost =
        what === "file" ? Digest.of(large) : await directoryOf(rootDigest);
      scenario.faults.set(lost.key, { type: "lost" });
      const again = await importImage(layers);
      expect(again.rootDigest).toEqual(rootDigest);
      expect(again.stored).toEqual({ blobs: 1, bytes: lost.sizeBytes });
      expect(layers.map(({ opened }) => opened)).toEqual(
        what === "file" ? [2, 1] : [1, 1],
      );
    },
  );

  test("ImageImporter shares the work of callers, whoever leaves", async () => {
    const layers = [testLayer(base), testLayer(upper)];
    const leader = new AbortController();
    const led = importImage(layers, leader.signal);
    const others = Array.from({ length: 50 }, () => importImage(layers));
    leader.abort();
    await expect(led).rejects.toMatchObject({ code: Code.Cancelled });
    const roots = (await Promise.all(others)).map((each) =>
      String(each.rootDigest),
    );
    expect(new Set(roots).size).toBe(1);
    expect(layers.map(({ opened }) => opened)).toEqual([1, 1]);
  });

  test("ImageImporter keeps layers that were finished before a failure", async () => {
    const good = testLayer(base);
    const bad = { ...testLayer(upper), diffId: `sha256:${"0".repeat(64)}` };
    await importImage([good]);
    await expect(importImage([good, bad])).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringMatching(
        /^Failed to import image "registry.example\/image@sha256:1+": Failed to read layer "sha256:[0-9a-f]+": Diff ID must be that of the uncompressed layer/,
      ),
    });
    expect(good.opened).toBe(1);
  });

  test("ImageImporter leaves out and counts what CAS cannot say", async () => {
    const archive = tarArchive(
      tarFile("caf\xe9", "latin1"),
      tarFile("caf\xc3\xa9", "UTF-8"),
      tarSymlink("link", "\xff"),
      tarDirectory("\xfe/"),
      tarFile("\xfe/below", "gone with it"),
    );
    const { rootDigest, dropped } = await importImage([testLayer(archive)]);
    expect(dropped.names).toBe(3);
    expect(await describeCasTree(scenario.cas, rootDigest)).toEqual([
      `file café - 644 @0 ${hashOf("UTF-8")}`,
    ]);
  });

  test("ImageImporter refuses a Directory that is too large as a message", async () => {
    const files = Array.from({ length: 30_000 }, (_, at) =>
      tarFile(`many/${at}`),
    );
    const rejected = importImage([testLayer(tarArchive(...files))]);
    await expect(rejected).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringMatching(
        /Directory "\/many" of the image must have at most 2097152 bytes as a message: current value is \d+, for 30000 entries$/,
      ),
    });
  });

  test("ImageImporter fails as CAS fails, and leaves nothing behind", async () => {
    scenario.faults.set(Digest.of(large).key, {
      type: "status",
      code: Code.PermissionDenied,
    });
    await expect(importImage([testLayer(base)])).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
  });
});

async function directoryOf(root: Digest): Promise<Digest> {
  const context = importContext;
  for await (const { digest } of walkTree(scenario.cas, root, { context })) {
    if (!digest.equals(root)) return digest;
  }
  throw new Error("There is no other Directory");
}
