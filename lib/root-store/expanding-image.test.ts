// Images that expand to more than the store has room for.
import {
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "@jest/globals";
import { eventually } from "../../test/fixtures/eventually.js";
import {
  type RootStoreScenario,
  type ScenarioImage,
  scenarioImage,
  scenarioLayer,
  setupRootStore,
  unlimited,
} from "../../test/fixtures/root-store-scenario.js";
import {
  paxHeader,
  tarArchive,
  tarFile,
} from "../../test/fixtures/tar-archive.js";
import { sha256 } from "../../test/fixtures/test-image.js";
import { Code } from "../status/index.js";

const mebibyte = 2 ** 20;
let scenario: RootStoreScenario;

afterEach(async () => {
  await scenario.remove();
  expect(scenario.errors).toEqual([]);
});

/** An image of one layer, as gzip makes it small. */
function packedImage(archive: Buffer): ScenarioImage {
  const blob = gzipSync(archive);
  const plain = scenarioImage([scenarioLayer(archive)]);
  return {
    hex: plain.hex,
    image: async (signal) => {
      const image = await plain.image(signal);
      return {
        ...image,
        layers: [
          {
            diffId: sha256(archive),
            descriptor: {
              digest: sha256(blob),
              sizeBytes: blob.length,
              compression: "gzip",
            },
            async *open() {
              yield new Uint8Array(blob);
            },
          },
        ],
      };
    },
  };
}

/** A file of nothing but a hole. */
function hole(name: string, bytes: number): Buffer {
  const header = paxHeader([
    ["GNU.sparse.major", "0"],
    ["GNU.sparse.minor", "1"],
    ["GNU.sparse.name", name],
    ["GNU.sparse.size", `${bytes}`],
    ["GNU.sparse.numblocks", "1"],
    ["GNU.sparse.map", `${bytes},0`],
  ]);
  return Buffer.concat([header, tarFile(name)]);
}

/** Bytes on the disk below a folder. */
function diskBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => statSync(join(folder, path)).blocks * 512)
    .reduce((sum, bytes) => sum + bytes, 0);
}

function contentFiles(): string[] {
  const files = join(scenario.folder, "files");
  return readdirSync(files).flatMap((name) => readdirSync(join(files, name)));
}

async function nothingIsLeft(): Promise<void> {
  await eventually(() => {
    expect(contentFiles()).toEqual([]);
    expect(readdirSync(join(scenario.folder, "tmp"))).toEqual([]);
    expect(scenario.store.statistics()).toMatchObject({ bytes: 0, inodes: 0 });
  });
}

describe("RootStore with an image that expands", () => {
  test("stops within its budget in the midst of one file", async () => {
    scenario = await setupRootStore({
      budget: { ...unlimited, maximumBytes: 100 * mebibyte },
    });
    const files = Array.from({ length: 15 }, (_, index) =>
      tarFile(`f${index}`, Buffer.alloc(10 * mebibyte, `${index} `)),
    );
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, scenario.store.statistics().bytes);
    }, 1);
    await expect(
      scenario.acquire(packedImage(tarArchive(...files))),
    ).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringMatching(
        /^Failed to read layer "sha256:.*": Failed to read entry "f10": Image store has no room: all roots are in use, and their content is over the configured bytes$/,
      ),
    });
    clearInterval(watch);
    expect(most).toBeGreaterThan(50 * mebibyte);
    expect(most).toBeLessThanOrEqual(100 * mebibyte);
    await nothingIsLeft();
  });

  test("evicts what is unused to go on", async () => {
    scenario = await setupRootStore({
      budget: { ...unlimited, maximumBytes: 25 * mebibyte },
    });
    const image = (text: string) =>
      packedImage(tarArchive(tarFile(text, Buffer.alloc(10 * mebibyte, text))));
    const images = ["a", "b", "c"].map(image);
    for (const each of images) {
      (await scenario.acquire(each)).release();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(scenario.evicted).toEqual([images[0]?.hex]);
    expect(scenario.store.statistics().bytes).toBe(20 * mebibyte);
  });

  test("counts a hole, and does not write it", async () => {
    scenario = await setupRootStore();
    const image = packedImage(tarArchive(hole("h", 1024 * mebibyte)));
    const { path } = await scenario.acquire(image);
    expect(statSync(join(path, "h")).size).toBe(1024 * mebibyte);
    expect(statSync(join(path, "h")).blocks).toBe(0);
    expect(scenario.store.statistics().bytes).toBe(1024 * mebibyte);
  });

  test("stops at a hole beyond its budget", async () => {
    scenario = await setupRootStore({
      budget: { ...unlimited, maximumBytes: 100 * mebibyte },
    });
    const image = packedImage(tarArchive(hole("h", 1024 * mebibyte)));
    await expect(scenario.acquire(image)).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringContaining('Failed to read entry "h"'),
    });
    await nothingIsLeft();
  });

  test("stops at the disk's floor while it writes", async () => {
    // In memory, where nobody else takes or frees space meanwhile.
    const disk = mkdtempSync("/dev/shm/berth-floor-");
    const directory = join(disk, "store");
    try {
      scenario = await setupRootStore({ directory });
      const { bavail, bsize } = statfsSync(directory);
      const minimumFreeBytes = bavail * bsize - 20 * mebibyte;
      await scenario.reopen({ budget: { ...unlimited, minimumFreeBytes } });
      const files = Array.from({ length: 30 }, (_, index) =>
        tarFile(`f${index}`, Buffer.alloc(2 * mebibyte, `${index} `)),
      );
      await expect(
        scenario.acquire(packedImage(tarArchive(...files))),
      ).rejects.toMatchObject({
        code: Code.ResourceExhausted,
        message: expect.stringMatching(
          /Failed to read entry "f(8|9|10)": Image store has no room for the rest of the image: the disk has less free space than it must keep$/,
        ),
      });
      await eventually(() => {
        expect(readdirSync(join(directory, "tmp"))).toEqual([]);
        expect(diskBytes(directory)).toBeLessThan(mebibyte);
      });
      expect(scenario.store.statistics().bytes).toBe(0);
    } finally {
      rmSync(disk, { recursive: true });
    }
  });

  test("bounds the inodes of a layer", async () => {
    scenario = await setupRootStore({
      budget: { ...unlimited, maximumInodes: 1_000 },
    });
    const files = Array.from({ length: 2_000 }, (_, index) =>
      tarFile(`f${index}`, `${index}`),
    );
    await expect(
      scenario.acquire(packedImage(tarArchive(...files))),
    ).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringContaining("the configured number of inodes"),
    });
    await nothingIsLeft();
  });

  test("bounds the copies that equal files of an image take", async () => {
    scenario = await setupRootStore({
      budget: { ...unlimited, maximumBytes: 10 * mebibyte },
    });
    const data = Buffer.alloc(4 * mebibyte, "x");
    const files = ["a", "b", "c", "d"].map((name) => tarFile(name, data));
    await expect(
      scenario.acquire(packedImage(tarArchive(...files))),
    ).rejects.toMatchObject({ code: Code.ResourceExhausted });
    await eventually(() => {
      expect(contentFiles().length).toBe(1); // the layer's own
      expect(scenario.store.statistics().bytes).toBe(4 * mebibyte);
    });
  });
});
