// Proves that an imported image is what others make of it, however it is
// named and packed, and that a crowd asks its registry once.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  jest,
  test,
} from "@jest/globals";
import { parseImageReference, parsePlatform } from "../../lib/image/index.js";
import type {
  ImageImporter,
  ImportedImage,
} from "../../lib/image-import/index.js";
import {
  createConfiguredImageSource,
  createDeduplicatingImageResolver,
  createDispatchingImageSource,
  createLayoutImageSource,
  createSourceImageResolver,
  imageLayersOf,
} from "../../lib/registry/index.js";
import { Code } from "../../lib/status/index.js";
import { eventually } from "../fixtures/eventually.js";
import {
  type EvilRegistry,
  startEvilRegistry,
} from "../fixtures/evil-registry.js";
import { readHostileCases } from "../fixtures/hostile-cases.js";
import { testLayer } from "../fixtures/image-layers.js";
import {
  describeCasTree,
  type ImportScenario,
  importContext,
  startImportScenario,
} from "../fixtures/import-scenario.js";
import { projectFolder } from "../fixtures/project-folder.js";
import {
  tarArchive,
  tarDirectory,
  tarFile,
  tarSymlink,
} from "../fixtures/tar-archive.js";
import {
  buildTestImage,
  buildTestIndex,
  noise,
  pushTestImage,
  sha256,
  type TestImage,
} from "../fixtures/test-image.js";
import { unpackLayoutWithUmoci, unpackWithUmoci } from "../fixtures/umoci.js";

jest.setTimeout(180_000);

const platform = parsePlatform("linux/amd64");
const victim = mkdtempSync(join(tmpdir(), "berth-victim-"));
const cases = readHostileCases(victim);

let scenario: ImportScenario;
let registry: EvilRegistry;
let images: ReturnType<typeof openImages>;

beforeAll(async () => {
  scenario = await startImportScenario();
  registry = await startEvilRegistry();
  images = openImages(registry.host);
});
afterAll(async () => {
  await images.close();
  await registry.stop();
  await scenario.stop();
  expect(readdirSync(victim)).toEqual([]);
  rmSync(victim, { recursive: true });
});

/** Images by their names, resolved once for all who ask at the same time. */
function openImages(host: string) {
  const { source: remote, close } = createConfiguredImageSource({
    registries: { [host]: { realmHosts: [], mirrors: [] } },
  });
  const source = createDispatchingImageSource({
    registry: remote,
    layout: createLayoutImageSource(),
  });
  const resolver = createDeduplicatingImageResolver(
    createSourceImageResolver(source),
  );
  return {
    close,
    load: async (
      importer: ImageImporter,
      name: string,
      signal: AbortSignal = new AbortController().signal,
    ): Promise<ImportedImage> => {
      const reference = parseImageReference(name, { allowLayouts: true });
      const image = await resolver.resolve(reference, platform, { signal });
      return importer.import(
        {
          reference: String(image.reference),
          layers: imageLayersOf(image, source),
        },
        { ...importContext, signal },
      );
    },
  };
}

/** umoci's lines as CAS can say them: UTF-8, no hard links. */
function asCasLines(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const bytes = Buffer.from(line, "latin1");
    const text = bytes.toString();
    if (!Buffer.from(text).equals(bytes)) return []; // and all beneath it
    const match = /^(file .*) (\d+) (@-?\d+ [0-9a-f]{64}) = .*$/s.exec(text);
    if (match === null) return [text];
    const [, path, mode = "", rest] = match;
    const x = (Number.parseInt(mode, 8) & 0o111) === 0 ? "-" : "x";
    return [`${path} ${x} ${mode} ${rest}`];
  });
}

const rejected = new Set([
  ...["a03-rel", "a03-abs", "a03-self", "a05-empty", "a05-dotdot"],
  ...["a08-wh", "a08-whdot", "a08-whdotdot", "a08-rootdot"],
  ...["a10-rootsym", "a10-rootfile", "a17-paxbomb", "a17-longname"],
  ...["a17-trunc", "a17-badsum", "a17-unktype"],
]);

describe("an imported image", () => {
  test.each([...cases].filter(([name]) => !rejected.has(name)))(
    "%s is what umoci makes",
    async (name, archives) => {
      const layers = archives.map((archive) => testLayer(archive, "gzip"));
      const reference = `hostile/${name}`;
      const { rootDigest } = await scenario.importer.import(
        { reference, layers },
        { ...importContext, signal: new AbortController().signal },
      );
      const oracle = await unpackWithUmoci(archives);
      expect(oracle.error).toBeUndefined();
      expect(await describeCasTree(scenario.cas, rootDigest)).toEqual(
        asCasLines(oracle.lines ?? []),
      );
    },
  );

  test.each([...cases].filter(([name]) => rejected.has(name)))(
    "%s is rejected",
    async (name, archives) => {
      const layers = archives.map((archive) => testLayer(archive, "gzip"));
      const reference = `hostile/${name}`;
      const importing = scenario.importer.import(
        { reference, layers },
        { ...importContext, signal: new AbortController().signal },
      );
      await expect(importing).rejects.toMatchObject({
        code: Code.InvalidArgument,
      });
      expect(readdirSync(victim)).toEqual([]);
      // Other layers of the image may still be winding up.
      await eventually(() => expect(scenario.spooled()).toEqual([]));
    },
  );

  test("a real Debian is what umoci makes", async () => {
    const script = `${projectFolder}/scripts/demo-image.sh`;
    const layout = execFileSync(script, { encoding: "utf8" }).trim();
    const name = `oci:${layout}:latest`;
    const { rootDigest, totals } = await images.load(scenario.importer, name);
    expect(totals.files).toBeGreaterThan(1_000);
    const oracle = await unpackLayoutWithUmoci(`${layout}:latest`);
    expect(await describeCasTree(scenario.cas, rootDigest)).toEqual(
      asCasLines(oracle.lines ?? []),
    );
  });
});

const archive = tarArchive(
  tarDirectory("usr/"),
  tarFile("usr/file", noise(100_000), { mode: 0o755 }),
  tarSymlink("link", "usr/file"),
);

/** The same image with its layer in another compression. */
function recompressed(compression: "none" | "zstd"): TestImage {
  const blob =
    compression === "none"
      ? archive
      : execFileSync("zstd", ["-q", "-c"], { input: archive });
  const suffix = compression === "none" ? "" : "+zstd";
  const descriptor = {
    mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`,
    digest: sha256(blob),
    size: blob.length,
  };
  const manifest = { layers: [descriptor] };
  const image = buildTestImage({ layers: [archive], manifest });
  return { ...image, blobs: [...image.blobs.slice(0, 1), blob] };
}

describe("an image's tree", () => {
  test("is the same through tag, digest and index, of gzip, zstd and plain", async () => {
    const gzip = buildTestImage({ layers: [archive] });
    const index = buildTestIndex([
      [buildTestImage(), { os: "linux", architecture: "arm64" }],
      [gzip, { os: "linux", architecture: "amd64" }],
    ]);
    const pushed = {
      "same/gzip": gzip,
      "same/zstd": recompressed("zstd"),
      "same/plain": recompressed("none"),
    };
    const names: string[] = [];
    for (const [repository, image] of Object.entries(pushed)) {
      for (const tag of ["t", image.digest]) {
        await pushTestImage(registry.host, repository, { image, tag });
      }
      const name = `${registry.host}/${repository}`;
      names.push(`${name}:t`, `${name}@${image.digest}`);
    }
    await pushTestImage(registry.host, "same/gzip", { image: index, tag: "i" });
    names.push(`${registry.host}/same/gzip:i`);
    const roots = new Set<string>();
    for (const name of names) {
      // Nothing is known from the one before.
      const fresh = await startImportScenario();
      const { rootDigest } = await images.load(fresh.importer, name);
      await fresh.stop();
      roots.add(String(rootDigest));
    }
    expect(names).toHaveLength(7);
    expect(roots.size).toBe(1);
  });
});

describe("a crowd that wants one cold image", () => {
  const image = buildTestImage({
    layers: [archive, tarArchive(tarFile("upper", noise(50_000)))],
  });
  beforeAll(() => pushTestImage(registry.host, "crowd/x", { image }));

  async function pulls(repository: string): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { path } of await registry.pulls()) {
      if (!path.startsWith(`/v2/${repository}/`)) continue;
      const what = path.slice(`/v2/${repository}/`.length);
      counts[what] = (counts[what] ?? 0) + 1;
    }
    return counts;
  }

  const once = Object.fromEntries([
    [`manifests/${image.digest}`, 1],
    ...image.blobs.map((blob) => [`blobs/${sha256(blob)}`, 1]),
  ]);

  test("asks the registry once for each, 500 at once", async () => {
    const name = `${registry.host}/crowd/x@${image.digest}`;
    const all = await Promise.all(
      Array.from({ length: 500 }, () => images.load(scenario.importer, name)),
    );
    expect(new Set(all.map((each) => String(each.rootDigest))).size).toBe(1);
    expect(await pulls("crowd/x")).toEqual(once);
  });

  test("loses its leader and its hasty, and nobody else is disturbed", async () => {
    // 150 KB at this rate are about six seconds.
    const repository = "slow-25000/crowd/x";
    const name = `${registry.host}/${repository}@${image.digest}`;
    const fresh = await startImportScenario();
    const leader = new AbortController();
    const leading = images.load(fresh.importer, name, leader.signal);
    const start = performance.now();
    const hasty = images
      .load(fresh.importer, name, AbortSignal.timeout(500))
      .catch((error: unknown) => ({ error, ms: performance.now() - start }));
    const others = Array.from({ length: 20 }, () =>
      images.load(fresh.importer, name),
    );
    await delay(300); // in the midst of the layers
    leader.abort();
    await expect(leading).rejects.toMatchObject({ code: Code.Cancelled });
    expect(performance.now() - start).toBeLessThan(4_000);
    const late = await hasty;
    expect(late).toMatchObject({
      error: { code: Code.DeadlineExceeded },
      ms: expect.any(Number),
    });
    if ("ms" in late) expect(late.ms).toBeLessThan(4_000);
    const roots = (await Promise.all(others)).map((each) => each.rootDigest);
    expect(new Set(roots.map(String)).size).toBe(1);
    expect(await pulls(repository)).toEqual(once);
    await fresh.stop();
  });
});
