import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { eventually } from "../../test/fixtures/eventually.js";
import {
  type RootStoreScenario,
  scenarioImage,
  scenarioLayer,
  setupRootStore,
} from "../../test/fixtures/root-store-scenario.js";
import {
  tarArchive,
  tarDirectory,
  tarFile,
} from "../../test/fixtures/tar-archive.js";
import { sha256 } from "../../test/fixtures/test-image.js";
import { Code } from "../status/index.js";
import type { PullProgress } from "./index.js";

let scenario: RootStoreScenario;

beforeEach(async () => {
  scenario = await setupRootStore();
});

afterEach(async () => {
  await scenario.remove();
  expect(scenario.errors).toEqual([]);
});

const base = tarArchive(tarDirectory("etc/"), tarFile("etc/base", "base"));
const upper = tarArchive(tarFile("upper", "upper"));

function entries(folder: string): string[] {
  return readdirSync(join(scenario.folder, folder));
}

describe("RootStore.acquire()", () => {
  test("makes a root from all layers, and finds it the next time", async () => {
    const layers = [scenarioLayer(base), scenarioLayer(upper)];
    const image = scenarioImage(layers);
    const first = await scenario.acquire(image);
    expect(first).toMatchObject({
      path: join(scenario.folder, "roots", image.hex, "rootfs"),
      hit: false,
    });
    expect(readFileSync(join(first.path, "etc/base"), "utf8")).toBe("base");
    expect(readFileSync(join(first.path, "upper"), "utf8")).toBe("upper");
    expect((await scenario.acquire(image)).hit).toBe(true);
    expect(layers.map(({ opened }) => opened)).toEqual([1, 1]);
    expect(entries("tmp")).toEqual([]);
  });

  test("writes image.json with reference, layers, sizes and config", async () => {
    const image = scenarioImage([scenarioLayer(base), scenarioLayer(upper)]);
    const { path } = await scenario.acquire(image);
    const text = readFileSync(join(path, "../image.json"), "utf8");
    expect(JSON.parse(text)).toEqual({
      reference: `registry.test/test/image@sha256:${image.hex}`,
      config: { name: "test/image" },
      ...{ files: 2, directories: 2, symlinks: 0, sizeBytes: 9 },
      diffIds: [sha256(base), sha256(upper)],
    });
  });

  test("reads an image once for all who ask at the same time", async () => {
    const layer = scenarioLayer(base);
    const image = scenarioImage([layer]);
    const leases = await Promise.all([
      scenario.acquire(image),
      scenario.acquire(image),
      scenario.acquire(image),
    ]);
    expect(new Set(leases.map(({ path }) => path)).size).toBe(1);
    expect(layer.opened).toBe(1);
    await eventually(() => {
      expect(scenario.store.statistics()).toMatchObject({ leases: 3 });
    });
    for (const lease of leases) {
      lease.release();
      lease.release(); // once is enough, twice no harm
    }
    expect(scenario.store.statistics()).toMatchObject({ roots: 1, leases: 0 });
  });

  test("reads a layer once for images that are pulled at the same time", async () => {
    const shared = scenarioLayer(base);
    await Promise.all([
      scenario.acquire(scenarioImage([shared])),
      scenario.acquire(scenarioImage([shared, scenarioLayer(upper)])),
    ]);
    expect(shared.opened).toBe(1);
  });

  test("reads only new layers of an image that shares some", async () => {
    const [shared, own] = [scenarioLayer(base), scenarioLayer(upper)];
    await scenario.acquire(scenarioImage([shared]));
    await scenario.reopen();
    await scenario.acquire(scenarioImage([shared, own]));
    expect([shared.opened, own.opened]).toEqual([1, 1]);
  });

  test("goes on for the others when the first who asked leaves", async () => {
    const layer = scenarioLayer(base, true);
    const image = scenarioImage([layer]);
    const leader = new AbortController();
    const led = scenario.acquire(image, { signal: leader.signal });
    const follower = scenario.acquire(image);
    await layer.reached;
    leader.abort();
    await expect(led).rejects.toMatchObject({ code: Code.Cancelled });
    layer.release();
    expect((await follower).hit).toBe(false);
    expect(layer.opened).toBe(1);
  });

  test("stops when nobody waits, and keeps the layers that were finished", async () => {
    const finished = scenarioLayer(base);
    const held = scenarioLayer(upper, true);
    const image = scenarioImage([finished, held]);
    const caller = new AbortController();
    let last: PullProgress | undefined;
    const acquired = scenario.acquire(image, {
      signal: caller.signal,
      onProgress: (progress) => {
        last = progress;
      },
    });
    await held.reached;
    await eventually(() => expect(last?.layersDone).toBe(1));
    caller.abort();
    await expect(acquired).rejects.toMatchObject({ code: Code.Cancelled });
    await eventually(() => {
      expect(entries("layers")).toEqual([sha256(base).slice(7)]);
      expect(entries("tmp")).toEqual([]);
      expect(scenario.store.statistics().pulls).toBe(0);
    });
    held.release();
    await scenario.acquire(image);
    expect([finished.opened, held.opened]).toEqual([1, 2]);
  });

  test("passes a source's failure on, and tries again the next time", async () => {
    const layer = scenarioLayer(base);
    const image = scenarioImage([layer]);
    const broken = scenarioLayer(base);
    broken.read = async function* () {
      yield new Uint8Array(100);
      throw Object.assign(new Error("it hung up"), { code: "ECONNRESET" });
    };
    const failing = scenarioImage([broken]);
    await expect(scenario.acquire(failing)).rejects.toMatchObject({
      code: Code.Unavailable,
      message: `Failed to read layer "${sha256(base)}": it hung up`,
    });
    expect((await scenario.acquire(image)).hit).toBe(false);
    expect(entries("tmp")).toEqual([]);
  });

  test("tells everyone who waits how far the pull is", async () => {
    const layer = scenarioLayer(base, true);
    const image = scenarioImage([layer]);
    const seen: PullProgress[][] = [[], []];
    const first = scenario.acquire(image, {
      onProgress: (progress) => seen[0]?.push(progress),
    });
    await layer.reached;
    await eventually(() => expect(seen[0]).not.toEqual([]));
    const second = scenario.acquire(image, {
      onProgress: (progress) => seen[1]?.push(progress),
    });
    layer.release();
    await Promise.all([first, second]);
    const complete = {
      ...{ layers: 1, layersDone: 1, entries: 2 },
      ...{ bytes: base.length, bytesDone: base.length },
    };
    expect(seen.map((progress) => progress.at(-1))).toEqual([
      complete,
      complete,
    ]);
    expect(seen[1]?.[0]).toMatchObject({ layersDone: 0 });
  });
});

describe("RootStore.open()", () => {
  test("adopts the roots that are there", async () => {
    const image = scenarioImage([scenarioLayer(base)]);
    const { path } = await scenario.acquire(image);
    const { ino } = statSync(path);
    await scenario.reopen();
    expect((await scenario.acquire(image)).hit).toBe(true);
    expect(statSync(path).ino).toBe(ino);
    await scenario.store.settled();
    expect(scenario.store.statistics()).toEqual({
      ...{ roots: 1, leases: 1, pulls: 0 },
      ...{ bytes: 4, inodes: 3 }, // a file, and two directories
    });
  });

  test("refuses a store that is open already", async () => {
    await expect(
      setupRootStore({ directory: scenario.folder }),
    ).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: `Image store "${scenario.folder}" is in use by another root fetcher`,
    });
  });

  test("lets no other user of the machine in", async () => {
    const folders = ["", "files", "layers", "roots", "tmp"];
    const modes = () =>
      folders.map((name) => statSync(join(scenario.folder, name)).mode & 0o777);
    expect(modes()).toEqual([0o750, 0o750, 0o750, 0o750, 0o750]);
    // As a volume, and as an earlier version of us, would have them.
    for (const name of folders) chmodSync(join(scenario.folder, name), 0o755);
    await scenario.reopen();
    expect(modes()).toEqual([0o755, 0o750, 0o750, 0o750, 0o750]);
  });

  test("removes what several processes that were killed left", async () => {
    const older = join(scenario.folder, "tmp/leftovers-1");
    mkdirSync(join(older, "deep"), { recursive: true });
    writeFileSync(join(scenario.folder, "tmp/leftover"), "");
    await scenario.reopen();
    await scenario.store.settled();
    expect(entries("tmp")).toEqual([]);
  });

  test("removes what was in the making", async () => {
    await scenario.acquire(scenarioImage([scenarioLayer(base)]));
    writeFileSync(join(scenario.folder, "tmp/leftover"), "");
    await scenario.reopen();
    await scenario.store.settled();
    expect(entries("tmp")).toEqual([]);
  });

  test("makes a root anew whose image.json is gone or damaged", async () => {
    for (const spoil of [rmSync, (path: string) => writeFileSync(path, "{")]) {
      const image = scenarioImage([scenarioLayer(base)], spoil.name || "n");
      const { path } = await scenario.acquire(image);
      spoil(join(path, "../image.json"));
      await scenario.reopen();
      expect((await scenario.acquire(image)).hit).toBe(false);
    }
  });

  test("forgets files of a power cut before it trusts the rest", async () => {
    await scenario.acquire(scenarioImage([scenarioLayer(base)]));
    await scenario.store.settled();
    // A file whose bytes did not reach the disk: renamed, but empty.
    const hash = sha256(Buffer.from("upper")).slice(7);
    const path = join(
      scenario.folder,
      `files/${hash.slice(0, 2)}/${hash}.444.0`,
    );
    writeFileSync(path, "UPPER");
    writeFileSync(join(scenario.folder, "boot"), "an earlier boot");
    await scenario.reopen();
    const lease = await scenario.acquire(scenarioImage([scenarioLayer(upper)]));
    expect(readFileSync(join(lease.path, "upper"), "utf8")).toBe("upper");
  });
});

describe("RootStore with a damaged disk", () => {
  test("reads a layer again whose record is damaged", async () => {
    const layer = scenarioLayer(base);
    await scenario.acquire(scenarioImage([layer]));
    const record = join(scenario.folder, "layers", sha256(base).slice(7));
    const bytes = readFileSync(record);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    writeFileSync(record, bytes);
    await scenario.reopen();
    const lease = await scenario.acquire(
      scenarioImage([layer, scenarioLayer(upper)]),
    );
    expect(existsSync(join(lease.path, "etc/base"))).toBe(true);
    expect(layer.opened).toBe(2);
  });

  test("reads a layer again whose files are gone", async () => {
    const [layer, whole] = [scenarioLayer(base), scenarioLayer(upper)];
    await scenario.acquire(scenarioImage([layer]));
    const hash = sha256(Buffer.from("base")).slice(7);
    rmSync(join(scenario.folder, `files/${hash.slice(0, 2)}/${hash}.444.0`));
    const lease = await scenario.acquire(scenarioImage([layer, whole]));
    expect(readFileSync(join(lease.path, "etc/base"), "utf8")).toBe("base");
    expect([layer.opened, whole.opened]).toEqual([2, 1]);
  });
});
