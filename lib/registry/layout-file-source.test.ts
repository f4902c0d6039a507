import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "@jest/globals";
import {
  buildTestImage,
  buildTestIndex,
  sha256,
  type TestImage,
} from "../../test/fixtures/test-image.js";
import { parseImageReference, parsePlatform } from "../image/index.js";
import { Code } from "../status/index.js";
import {
  createDispatchingImageSource,
  createLayoutImageSource,
  createSourceImageResolver,
} from "./index.js";
import { drain, layerOf } from "./testing/setup-evil-registry.js";

const amd64 = parsePlatform("linux/amd64");
const run = promisify(execFile);

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) {
    await rm(directory, { recursive: true });
  }
});

/** Lays images out, each with its tag or its platform. */
async function setup(
  entries: readonly (readonly [image: TestImage, extra?: object])[],
) {
  const path = await mkdtemp(join(tmpdir(), "layout-"));
  directories.push(path);
  const blobs = join(path, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  for (const [image] of entries) {
    for (const blob of [image.manifest, ...image.blobs]) {
      await writeFile(join(blobs, sha256(blob).slice(7)), blob);
    }
  }
  const index = {
    schemaVersion: 2,
    manifests: entries.map(([image, extra]) => ({
      mediaType: image.mediaType,
      digest: image.digest,
      size: image.manifest.byteLength,
      ...extra,
    })),
  };
  await writeFile(join(path, "index.json"), JSON.stringify(index));
  await writeFile(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const source = createLayoutImageSource();
  const resolver = createSourceImageResolver(source);
  const parse = (rest: string) =>
    parseImageReference(`oci:${path}${rest}`, { allowLayouts: true });
  const resolve = (rest: string) => resolver.resolve(parse(rest), amd64);
  return { path, blobs, source, parse, resolve };
}

function tagged(name: string) {
  return { annotations: { "org.opencontainers.image.ref.name": name } };
}

describe("createLayoutImageSource()", () => {
  test("createLayoutImageSource() finds images by tag, by digest and by platform", async () => {
    const image = buildTestImage();
    const arm = buildTestImage({ config: { architecture: "arm64" } });
    const platform = { os: "linux", architecture: "arm64" };
    const { path, resolve } = await setup([
      [image, tagged("12")],
      [arm, { platform }],
    ]);
    for (const rest of [":12", `@${image.digest}`, ""]) {
      const { reference, manifestDigest } = await resolve(rest);
      expect(manifestDigest).toBe(image.digest);
      expect(String(reference)).toBe(`oci:${path}@${image.digest}`);
    }
  });

  test("createLayoutImageSource() follows an index in a layout", async () => {
    const image = buildTestImage();
    const index = buildTestIndex([
      [image, { os: "linux", architecture: "amd64" }],
    ]);
    const { path, resolve } = await setup([[index, tagged("multi")]]);
    const blobs = join(path, "blobs/sha256");
    for (const blob of [image.manifest, ...image.blobs]) {
      await writeFile(join(blobs, sha256(blob).slice(7)), blob);
    }
    expect((await resolve(":multi")).manifestDigest).toBe(image.digest);
  });

  test("createLayoutImageSource() reads blobs and verifies them", async () => {
    const image = buildTestImage();
    const { blobs, parse, source } = await setup([[image]]);
    const layer = layerOf(image);
    const read = await drain(source.openBlob(parse(""), layer));
    expect(sha256(read.data)).toBe(layer.digest);
    await writeFile(join(blobs, layer.digest.slice(7)), "something else");
    const { data, error } = await drain(source.openBlob(parse(""), layer));
    expect(data.byteLength).toBe(0);
    expect(error).toMatchObject({
      code: Code.DataLoss,
      message: `Failed to read blob ${layer.digest} of "${parse("")}": blob ${layer.digest} of ${layer.sizeBytes} bytes is corrupt: it has 14 bytes`,
    });
  });

  test("createLayoutImageSource() refuses a manifest whose bytes changed", async () => {
    const image = buildTestImage();
    const { blobs, parse, resolve } = await setup([[image]]);
    await writeFile(join(blobs, image.digest.slice(7)), "{}");
    const name = parse(`@${image.digest}`);
    await expect(resolve(`@${image.digest}`)).rejects.toMatchObject({
      code: Code.DataLoss,
      message: `Failed to resolve image "${name}": Failed to read manifest of "${name}": manifest ${image.digest} is corrupt: its bytes have digest ${sha256(Buffer.from("{}"))}`,
    });
  });

  test("createLayoutImageSource() tells unknown and doubled tags", async () => {
    const image = buildTestImage();
    const { resolve } = await setup([
      [image, tagged("a")],
      [image, tagged("a")],
    ]);
    await expect(resolve(":b")).rejects.toMatchObject({
      code: Code.NotFound,
      message: expect.stringMatching(/: layout has no tag "b"$/),
    });
    await expect(resolve(":a")).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringMatching(/: layout has tag "a" 2 times$/),
    });
  });

  test("createLayoutImageSource() never waits at a FIFO", async () => {
    const image = buildTestImage();
    const { blobs, parse, source } = await setup([[image]]);
    const layer = layerOf(image);
    const path = join(blobs, layer.digest.slice(7));
    await rm(path);
    await run("mkfifo", [path]);
    const { error } = await drain(source.openBlob(parse(""), layer));
    expect(error).toMatchObject({ code: Code.InvalidArgument });
  });

  test("createLayoutImageSource() says that there is no layout", async () => {
    const source = createLayoutImageSource();
    const options = { allowLayouts: true };
    const reference = parseImageReference("oci:/nonexistent/layout", options);
    await expect(source.fetchManifest(reference)).rejects.toMatchObject({
      code: Code.NotFound,
    });
  });
});

test("createDispatchingImageSource() sends each reference to its kind's source", async () => {
  const { parse } = await setup([[buildTestImage()]]);
  const layout = createLayoutImageSource();
  const source = createDispatchingImageSource({ registry: layout, layout });
  expect((await source.fetchManifest(parse(""))).contentType).toContain(
    "index",
  );
  const registry = parseImageReference("debian");
  await expect(source.fetchManifest(registry)).rejects.toMatchObject({
    code: Code.InvalidArgument,
    message: `Failed to read manifest of "${registry}": it does not name an image in a layout`,
  });
  const cas = parseImageReference(`cas://${"a".repeat(64)}/1`, {
    allowCas: true,
  });
  await expect(source.fetchManifest(cas)).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
});
