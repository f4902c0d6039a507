import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
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
import { tarArchive, tarFile } from "../../test/fixtures/tar-archive.js";
import { Code } from "../status/index.js";

let scenario: RootStoreScenario;

afterEach(async () => {
  await scenario.remove();
  expect(scenario.errors).toEqual([]);
});

/** An image with a file of 10,000 bytes of its own. */
function ownImage(name: string): ScenarioImage {
  const data = Buffer.alloc(10_000, name);
  return scenarioImage([scenarioLayer(tarArchive(tarFile(name, data)))], name);
}

const [a, b, c] = [ownImage("a"), ownImage("b"), ownImage("c")];

/** Room for two of the images, but not for three. */
const twoImages = { ...unlimited, maximumBytes: 25_000 };

async function pull(...images: ScenarioImage[]): Promise<void> {
  for (const image of images) {
    (await scenario.acquire(image)).release();
    // For so long a pull holds its root itself.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function contentFiles(): string[] {
  const files = join(scenario.folder, "files");
  return readdirSync(files).flatMap((name) => readdirSync(join(files, name)));
}

describe("RootStore with a budget", () => {
  test("evicts the root that was longest unused, with its files", async () => {
    scenario = await setupRootStore({ budget: twoImages });
    await scenario.store.settled();
    await pull(a, b, a, c);
    await scenario.store.settled();
    expect(scenario.evicted).toEqual([b.hex]);
    expect(readdirSync(join(scenario.folder, "roots")).sort()).toEqual(
      [a.hex, c.hex].sort(),
    );
    expect(contentFiles().length).toBe(2);
    expect(readdirSync(join(scenario.folder, "layers")).length).toBe(2);
    expect(readdirSync(join(scenario.folder, "tmp"))).toEqual([]);
    expect(scenario.store.statistics()).toMatchObject({
      roots: 2,
      bytes: 20_000,
    });
  });

  test("takes a hint of use for a use", async () => {
    scenario = await setupRootStore({ budget: twoImages });
    await scenario.store.settled();
    await pull(a, b);
    scenario.store.touch(a.hex);
    await pull(c);
    expect(scenario.evicted).toEqual([b.hex]);
  });

  test("remembers over a restart what was used last", async () => {
    scenario = await setupRootStore({ budget: twoImages });
    await scenario.store.settled();
    await pull(a, b);
    await scenario.reopen();
    await scenario.store.settled();
    await pull(c);
    expect(scenario.evicted).toEqual([a.hex]);
  });

  test("never evicts a root that is leased", async () => {
    scenario = await setupRootStore({ budget: twoImages });
    const lease = await scenario.acquire(a);
    await pull(b, c);
    expect(scenario.evicted).toEqual([b.hex]);
    expect(existsSync(join(lease.path, "a"))).toBe(true);
  });

  test("never evicts a root whose lock another process holds", async () => {
    scenario = await setupRootStore({ budget: twoImages });
    await scenario.store.settled();
    await pull(a, b);
    const lock = join(scenario.folder, "roots", a.hex, "lock");
    const holder = spawn("flock", ["--shared", lock, "-c", "echo; exec cat"]);
    await once(holder.stdout, "data"); // it has the lock now
    await pull(c);
    expect(scenario.evicted).toEqual([b.hex]);
    holder.stdin.end();
    await once(holder, "exit");
    await pull(b);
    // The lock was noticed, and counted as a use.
    expect(scenario.evicted).toEqual([b.hex, a.hex]);
  });

  test("refuses to grow when everything is in use", async () => {
    scenario = await setupRootStore({
      budget: { ...unlimited, maximumBytes: 15_000 },
    });
    await scenario.store.settled();
    await scenario.acquire(a);
    await expect(scenario.acquire(b)).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringContaining(
        "Image store has no room: all roots are in use, and their content is over the configured bytes",
      ),
    });
    expect(scenario.store.statistics()).toMatchObject({
      ...{ roots: 1, bytes: 10_000 },
    });
  });

  test("counts inodes, also those of directories", async () => {
    scenario = await setupRootStore({
      budget: { ...unlimited, maximumInodes: 5 },
    });
    await pull(a, b, c); // two each: a file, and its directory
    await eventually(() => expect(scenario.evicted).toEqual([a.hex]));
  });

  test("keeps space free on the disk", async () => {
    scenario = await setupRootStore({
      budget: { ...unlimited, minimumFreeBytes: 2 ** 60 },
    });
    await expect(scenario.acquire(a)).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message:
        "Image store has no room: all roots are in use, and the disk has less free space than it must keep",
    });
  });

  test("keeps files that a root still has, whatever layer they came from", async () => {
    scenario = await setupRootStore({ budget: twoImages });
    await scenario.store.settled();
    const common = Buffer.alloc(10_000, "common");
    const image = (name: string) =>
      scenarioImage(
        [
          scenarioLayer(
            tarArchive(tarFile("common", common), tarFile(name, name)),
          ),
        ],
        name,
      );
    await pull(image("x"));
    const lease = await scenario.acquire(image("y"));
    await pull(a, b);
    await scenario.store.settled();
    expect(scenario.evicted).toContain(image("x").hex);
    expect(readFileSync(join(lease.path, "common"))).toEqual(common);
    await pull(image("x"));
  });

  test("evicts a layer that no root is made of", async () => {
    scenario = await setupRootStore({ budget: twoImages });
    await scenario.store.settled();
    const done = scenarioLayer(tarArchive(tarFile("d", Buffer.alloc(10_000))));
    const held = scenarioLayer(tarArchive(tarFile("h", "h")), true);
    const caller = new AbortController();
    let layersDone = 0;
    const acquired = scenario.acquire(scenarioImage([done, held]), {
      signal: caller.signal,
      onProgress: (progress) => {
        layersDone = progress.layersDone;
      },
    });
    await held.reached;
    await eventually(() => expect(layersDone).toBe(1));
    caller.abort();
    await expect(acquired).rejects.toMatchObject({ code: Code.Cancelled });
    await eventually(() => {
      // What the layer that was not finished had stored is gone already.
      expect(contentFiles().length).toBe(1);
    });
    await pull(a, b);
    await scenario.store.settled();
    expect(contentFiles().length).toBe(2);
    expect(scenario.evicted).toEqual([]);
  });

  test("makes a root again that is evicted while it is acquired", async () => {
    scenario = await setupRootStore({ budget: twoImages });
    await scenario.store.settled();
    await pull(a, b);
    const leases = await Promise.all(
      [a, b, c, a, b, c].map((image) =>
        scenario.acquire(image).then((lease) => {
          const present = existsSync(lease.path);
          lease.release();
          return present;
        }),
      ),
    );
    expect(leases).toEqual([true, true, true, true, true, true]);
  });
});
