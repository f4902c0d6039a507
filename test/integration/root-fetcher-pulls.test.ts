// Proves what pulls cost: each layer is fetched once, waiting for one image
// does not slow another, and memory stays bounded.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type EvilRegistry,
  startEvilRegistry,
} from "../fixtures/evil-registry.js";
import {
  acquireRoot,
  type RootFetcherProcess,
  startRootFetcher,
} from "../fixtures/root-fetcher-process.js";
import {
  tarArchive,
  tarDirectory,
  tarFile,
  tarHardLink,
  tarSymlink,
} from "../fixtures/tar-archive.js";
import { noise, pushTestLayers } from "../fixtures/test-image.js";

let registry: EvilRegistry;
let fetcher: RootFetcherProcess;

beforeAll(async () => {
  registry = await startEvilRegistry();
  fetcher = await startRootFetcher({ hosts: [registry.host] });
});

afterAll(async () => {
  await fetcher?.remove();
  await registry?.stop();
}, 180_000); // a store of 400,000 links is slow to remove

const push = (name: string, layers: readonly Buffer[]) =>
  pushTestLayers(registry.host, name, layers);

async function acquire(reference: string): Promise<string | undefined> {
  const { answer, client } = await acquireRoot(fetcher.socket, reference);
  client.close();
  return answer;
}

function layer(name: string): Buffer {
  return tarArchive(tarFile(name, noise(50_000)));
}

/** How often each blob of a repository was fetched. */
async function fetches(repository: string): Promise<number[]> {
  const counts = new Map<string, number>();
  for (const { path } of await registry.pulls(/\/blobs\//)) {
    if (!path.includes(`/${repository}/`)) continue;
    counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  return [...counts.values()];
}

describe("RootFetcher and the registry", () => {
  test("fetches an image once for many who ask at the same time", async () => {
    const reference = await push("herd", [layer("a"), layer("b")]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => acquire(reference)),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toMatch(/^OK /);
    expect(await fetches("herd")).toEqual([1, 1, 1]); // a config, two layers
    expect((await registry.pulls(/\/herd\/manifests\//)).length).toBe(1);
  });

  test("fetches only the layers that no other image has had", async () => {
    await acquire(await push("below", [layer("base")]));
    await acquire(await push("above", [layer("base"), layer("own")]));
    expect(await fetches("above")).toEqual([1, 1]); // a config, one layer
  });

  test("takes one digest under two names for one root", async () => {
    const layers = [layer("twice")];
    const first = await acquire(await push("name/one", layers));
    const second = await acquire(await push("name/two", layers));
    expect(second).toBe(first);
    expect(await fetches("name/two")).toEqual([]);
  });

  test("pulls what it is told to before it is ready", async () => {
    const reference = await push("early", [layer("early")]);
    const early = await startRootFetcher({
      hosts: [registry.host],
      configuration: {
        prefetch: [
          reference,
          `${registry.host}/missing@sha256:${"0".repeat(64)}`,
        ],
        diagnostics: "127.0.0.1:0",
      },
    });
    const address = /"diagnostics":"([^"]+)"/.exec(early.log())?.[1];
    let status = 0;
    while (status !== 200) {
      status = (await fetch(`http://${address}/readyz`)).status;
    }
    const metrics = await (await fetch(`http://${address}/metrics`)).text();
    expect(metrics).toContain("berth_root_fetcher_roots 1\n");
    expect(metrics).toContain(
      'berth_root_fetcher_acquire_seconds_count{outcome="miss"} 1\n',
    );
    expect(metrics).toContain(
      'berth_root_fetcher_acquire_seconds_count{outcome="error"} 1\n',
    );
    expect(early.log()).toContain("Failed to prefetch image root");
    await early.remove();
  });
});

/** 100,000 entries of all sorts. */
function largeLayer(name: string): Buffer {
  const parts = Array.from({ length: 100_000 }, (_, index) => {
    const folder = `usr/${name}/folder-${Math.floor(index / 100)}`;
    const path = `${folder}/file-${index}.py`;
    if (index % 100 === 0) return tarDirectory(`${folder}/`);
    switch (index % 4) {
      case 1:
        return tarFile(path, `${name} ${index}`);
      case 2:
        return tarHardLink(path, `${folder}/file-${index - 1}.py`);
      default:
        return tarSymlink(path, `file-${index - 1}.py`);
    }
  });
  return tarArchive(...parts);
}

describe("RootFetcher under load", () => {
  test("answers for roots that are there while it makes one of 200,000 entries, in 256 MiB", async () => {
    const warm = await push("warm", [layer("warm")]);
    await acquire(warm);
    const halves = ["left", "right"].map(largeLayer);
    let isDone = false;
    const large = acquire(await push("large", halves)).finally(() => {
      isDone = true;
    });
    const waits: number[] = [];
    while (!isDone) {
      const start = performance.now();
      expect(await acquire(warm)).toMatch(/^OK /);
      waits.push(performance.now() - start);
    }
    expect(await large).toMatch(/^OK /);
    waits.sort((a, b) => a - b);
    // The peer's credentials cost a process for each connection.
    expect(waits[Math.floor(waits.length / 2)]).toBeLessThan(50);
    const status = readFileSync(`/proc/${fetcher.pid()}/status`, "utf8");
    const peakKiB = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
    expect(peakKiB).toBeLessThan(256 * 1024);
  }, 180_000);
});
