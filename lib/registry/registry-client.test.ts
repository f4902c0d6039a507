import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startDockerRegistry } from "../../test/fixtures/docker-registry.js";
import {
  buildTestImage,
  buildTestIndex,
  pushTestImage,
  sha256,
} from "../../test/fixtures/test-image.js";
import { parseImageReference, parsePlatform } from "../image/index.js";
import { Code } from "../status/index.js";
import { createSourceImageResolver, RegistryClient } from "./index.js";

const amd64 = parsePlatform("linux/amd64");

async function setup() {
  const registry = await startDockerRegistry();
  const client = new RegistryClient();
  const stop = async () => {
    await client.close();
    await registry.stop();
  };
  return { host: registry.host, client, stop };
}

describe("RegistryClient with a real docker-registry", () => {
  let parts: Awaited<ReturnType<typeof setup>>;
  beforeAll(async () => {
    parts = await setup();
  });
  afterAll(() => parts.stop());

  test("RegistryClient fetches by tag and by digest what was pushed", async () => {
    const { host, client } = parts;
    const image = buildTestImage();
    await pushTestImage(host, "some/image", { image, tag: "1.0" });
    const reference = parseImageReference(`docker://${host}/some/image:1.0`);
    const resolver = createSourceImageResolver(client);
    const resolved = await resolver.resolve(reference, amd64);
    expect(String(resolved.reference)).toBe(
      `${host}/some/image@${image.digest}`,
    );
    expect(resolved.manifestDigest).toBe(image.digest);
    expect(resolved.config.diffIds).toHaveLength(1);
    const [layer] = resolved.manifest.layers;
    if (layer === undefined) throw new Error("The image has a layer");
    const bytes = await collect(client.openBlob(resolved.reference, layer));
    expect(sha256(bytes)).toBe(layer.digest);
    expect(await resolver.resolve(resolved.reference, amd64)).toEqual(resolved);
  });

  test("RegistryClient follows an index to the platform's manifest", async () => {
    const { host, client } = parts;
    const image = buildTestImage();
    const arm = buildTestImage({ config: { architecture: "arm64" } });
    const index = buildTestIndex([
      [arm, { os: "linux", architecture: "arm64", variant: "v8" }],
      [image, { os: "linux", architecture: "amd64" }],
    ]);
    await pushTestImage(host, "multi", { image });
    await pushTestImage(host, "multi", { image: arm });
    await pushTestImage(host, "multi", { image: index, tag: "latest" });
    const reference = parseImageReference(`${host}/multi`);
    const resolver = createSourceImageResolver(client);
    const onArm = parsePlatform("linux/aarch64");
    const forArm = await resolver.resolve(reference, onArm);
    expect(forArm.manifestDigest).toBe(arm.digest);
    const forAmd = await resolver.resolve(reference, amd64);
    expect(forAmd.manifestDigest).toBe(image.digest);
    await expect(
      resolver.resolve(reference, parsePlatform("linux/s390x")),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Failed to resolve image "${host}/multi:latest": Image has no manifest for platform linux/s390x: available are linux/amd64, linux/arm64`,
    });
  });

  test("RegistryClient tells an unknown tag and an unknown repository", async () => {
    const { host, client } = parts;
    for (const name of ["some/image:none", "none/such:1"]) {
      const reference = parseImageReference(`${host}/${name}`);
      await expect(client.fetchManifest(reference)).rejects.toMatchObject({
        code: Code.NotFound,
        message: `Failed to fetch manifest of "${host}/${name}": registry "${host}" does not have it (HTTP status 404, MANIFEST_UNKNOWN)`,
      });
    }
  });
});

async function collect(blob: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of blob) chunks.push(chunk);
  return Buffer.concat(chunks);
}
