import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  buildTestImage,
  buildTestIndex,
  pushTestImage,
  type TestImage,
} from "../../test/fixtures/test-image.js";
import { parseImageReference, parsePlatform } from "../image/index.js";
import { Code } from "../status/index.js";
import { createSourceImageResolver } from "./index.js";
import {
  type EvilSetup,
  setupEvilRegistry,
} from "./testing/setup-evil-registry.js";

const amd64 = parsePlatform("linux/amd64");

describe("createSourceImageResolver() with a registry that lies", () => {
  let parts: EvilSetup;
  beforeAll(async () => {
    parts = await setupEvilRegistry();
  });
  afterAll(() => parts.stop());

  const resolve = (text: string) =>
    createSourceImageResolver(parts.client).resolve(
      parseImageReference(`${parts.host}/${text}`),
      amd64,
    );

  /** Pushes an image and resolves it by its tag. */
  async function resolvePushed(name: string, image: TestImage) {
    await pushTestImage(parts.host, name, { image, tag: "t" });
    return resolve(`${name}:t`);
  }

  function failure(name: string, text: string) {
    return {
      code: Code.InvalidArgument,
      message: `Failed to resolve image "${parts.host}/${name}:t": ${text}`,
    };
  }

  test("resolve() refuses a manifest served as an index, and takes it served as itself (B04)", async () => {
    const outcomes = [];
    for (let i = 0; i < 2; i += 1) {
      const outcome = await resolve("ctflip/pub/x:t").catch(
        (error: unknown) => error,
      );
      outcomes.push(outcome);
    }
    expect(outcomes).toContainEqual(
      expect.objectContaining({ manifestDigest: parts.image.digest }),
    );
    expect(outcomes).toContainEqual(
      expect.objectContaining(
        failure(
          "ctflip/pub/x",
          'Manifest is ambiguous: its own media type is "application/vnd.oci.image.manifest.v1+json", but it is served as "application/vnd.oci.image.index.v1+json"',
        ),
      ),
    );
  });

  test("resolve() refuses manifests and layers in one document (B04)", async () => {
    const image = buildTestImage({ manifest: { manifests: [] } });
    await expect(resolvePushed("b04", image)).rejects.toMatchObject(
      failure(
        "b04",
        'Manifest is ambiguous: its media type is that of an image manifest, but it holds "manifests"',
      ),
    );
  });

  test("resolve() refuses other bytes than a digest names (B04)", async () => {
    const { host, image } = parts;
    const other = buildTestImage({ config: { author: "somebody else" } });
    // The evil registry stores under any name, so also under a wrong digest.
    await pushTestImage(host, "b04d", { image: other, tag: image.digest });
    const name = `${host}/b04d@${image.digest}`;
    await expect(resolve(`b04d@${image.digest}`)).rejects.toMatchObject({
      code: Code.DataLoss,
      message: `Failed to resolve image "${name}": Failed to fetch manifest of "${name}": registry "${host}" sends other bytes, their digest is ${other.digest}`,
    });
  });

  test("resolve() follows three indexes and no fourth (B04)", async () => {
    let image = parts.image;
    for (let depth = 1; depth <= 4; depth += 1) {
      image = buildTestIndex([[image]]);
      await pushTestImage(parts.host, "nested", { image });
    }
    await pushTestImage(parts.host, "nested", { image: parts.image });
    await expect(resolvePushed("nested", image)).rejects.toMatchObject(
      failure("nested", "Image has indexes within indexes, more than 3 deep"),
    );
    const manifests = await parts.pulls(/nested\/manifests/);
    expect(manifests).toHaveLength(4);
  });

  test("resolve() refuses a flipped config, and another number of layers (B01)", async () => {
    const { layer } = parts;
    await expect(resolve("flip-10/pub/x:t")).rejects.toMatchObject({
      code: Code.DataLoss,
      message: expect.stringContaining("is corrupt: its bytes have digest"),
    });
    const rootfs = { type: "layers", diff_ids: [layer.digest, layer.digest] };
    const image = buildTestImage({ config: { rootfs } });
    await expect(resolvePushed("b01", image)).rejects.toMatchObject(
      failure(
        "b01",
        "Image config has 2 diff IDs for the 1 layers of the manifest",
      ),
    );
  });

  test("resolve() refuses an image for another platform", async () => {
    const image = buildTestImage({ config: { architecture: "arm64" } });
    await expect(resolvePushed("arm", image)).rejects.toMatchObject(
      failure(
        "arm",
        "Image is for platform linux/arm64, which does not run on linux/amd64",
      ),
    );
  });

  test("resolve() refuses an index that states another size", async () => {
    const index = buildTestIndex([[parts.image]]);
    const text = index.manifest.toString().replace(/"size":\d+/, '"size":5');
    const image = { ...index, manifest: Buffer.from(text) };
    await pushTestImage(parts.host, "sized", { image: parts.image });
    await expect(resolvePushed("sized", image)).rejects.toMatchObject(
      failure(
        "sized",
        `Index states 5 bytes for manifest ${parts.image.digest}, which has ${parts.image.manifest.byteLength}`,
      ),
    );
  });

  test("resolve() asks for a tag once and goes by digest from there (B16)", async () => {
    const { host } = parts;
    const [one, two] = ["one", "two"].map((author) => {
      const image = buildTestImage({ config: { author } });
      return { image, index: buildTestIndex([[image]]) };
    });
    if (one === undefined || two === undefined) throw new Error("Two images");
    for (const [name, { image, index }] of [
      ["t", one],
      ["u", two],
    ] as const) {
      await pushTestImage(host, "flipping", { image });
      await pushTestImage(host, "flipping", { image: index, tag: name });
    }
    const seen = new Set<string>();
    for (let i = 0; i < 4; i += 1) {
      const { manifestDigest, manifest } = await resolve("tagflip/flipping:t");
      const expected = [one.image, two.image].find(
        ({ digest }) => digest === manifestDigest,
      );
      const own = JSON.parse(String(expected?.manifest));
      expect(manifest.config.digest).toBe(own.config.digest);
      seen.add(manifestDigest);
    }
    expect(seen.size).toBe(2);
    const byTag = await parts.pulls(/tagflip\/flipping\/manifests\/t$/);
    expect(byTag).toHaveLength(4);
  });
});
