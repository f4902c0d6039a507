import { describe, expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { maximumManifestSizeBytes, parseManifestOrIndex } from "./index.js";

const digest = `sha256:${"ab".repeat(32)}`;
const oci = "application/vnd.oci.image";
const docker = "application/vnd.docker";
const manifestType = `${oci}.manifest.v1+json`;
const indexType = `${oci}.index.v1+json`;

const config = { mediaType: `${oci}.config.v1+json`, digest, size: 7 };
const layer = { mediaType: `${oci}.layer.v1.tar+gzip`, digest, size: 32 };
const manifest = {
  schemaVersion: 2,
  mediaType: manifestType,
  config,
  layers: [layer],
};
const index = {
  schemaVersion: 2,
  mediaType: indexType,
  manifests: [{ mediaType: manifestType, digest, size: 9 }],
};

function parse(value: unknown, contentType: string | undefined = undefined) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return parseManifestOrIndex(Buffer.from(text), contentType);
}

describe("parseManifestOrIndex()", () => {
  test("parseManifestOrIndex() reads manifests of OCI", () => {
    expect(parse({ ...manifest, annotations: { Layers: "x" } })).toEqual({
      kind: "manifest",
      mediaType: manifestType,
      config: { mediaType: config.mediaType, digest, sizeBytes: 7 },
      layers: [
        {
          mediaType: layer.mediaType,
          digest,
          sizeBytes: 32,
          compression: "gzip",
        },
      ],
    });
  });

  test.each([
    [`${oci}.layer.v1.tar`, "none"],
    [`${oci}.layer.v1.tar+zstd`, "zstd"],
    [`${docker}.image.rootfs.diff.tar.gzip`, "gzip"],
    [`${docker}.image.rootfs.diff.tar`, "none"],
    [`${docker}.image.rootfs.diff.tar.zstd`, "zstd"],
  ])("parseManifestOrIndex() reads layers of %s", (mediaType, compression) => {
    const read = parse({ ...manifest, layers: [{ ...layer, mediaType }] });
    expect(read).toMatchObject({ layers: [{ compression }] });
  });

  test("parseManifestOrIndex() reads Docker's v2 schema 2", () => {
    const mediaType = `${docker}.distribution.manifest.v2+json`;
    const dockerConfig = {
      ...config,
      mediaType: `${docker}.container.image.v1+json`,
    };
    expect(
      parse({ ...manifest, mediaType, config: dockerConfig }, mediaType),
    ).toMatchObject({ kind: "manifest", mediaType });
    const list = `${docker}.distribution.manifest.list.v2+json`;
    expect(parse({ ...index, mediaType: list }, list)).toMatchObject({
      kind: "index",
    });
  });

  test("parseManifestOrIndex() reads an index's platforms and names", () => {
    const entry = {
      ...index.manifests[0],
      platform: { os: "linux", architecture: "arm64", variant: "v8" },
      annotations: { "org.opencontainers.image.ref.name": "12" },
    };
    expect(parse({ ...index, manifests: [entry] })).toMatchObject({
      entries: [
        { platform: { os: "linux", architecture: "arm64" }, name: "12" },
      ],
    });
  });

  test("parseManifestOrIndex() goes by Content-Type where the document does not say", () => {
    const unnamed = { schemaVersion: 2, config, layers: [] };
    const served = `${manifestType}; charset=utf-8`;
    expect(parse(unnamed, served)).toMatchObject({ kind: "manifest" });
    expect(parse(manifest, "application/json")).toMatchObject({
      kind: "manifest",
    });
    expect(() => parse(unnamed, "text/html")).toThrow(
      'Media type of manifest must be that of an image manifest or index, of OCI or Docker: current value is "text/html"',
    );
  });

  test.each([
    [
      "both manifests and layers (B04)",
      { ...manifest, manifests: index.manifests },
      'Manifest is ambiguous: its media type is that of an image manifest, but it holds "manifests"',
    ],
    [
      "an index with layers (B04)",
      { ...index, layers: [] },
      'Manifest is ambiguous: its media type is that of an index, but it holds "layers"',
    ],
    [
      "a key twice",
      '{"schemaVersion":2,"layers":[],"layer\\u0073":[]}',
      'Manifest holds the key "layers" twice in one object',
    ],
    [
      "a key in another case",
      { ...manifest, Layers: [] },
      'Manifest must spell the key "layers" so: current value is "Layers"',
    ],
    [
      "a descriptor's key in another case",
      { ...manifest, layers: [{ ...layer, Digest: digest }] },
      'layer 0 of manifest must spell the key "digest" so: current value is "Digest"',
    ],
    [
      "schema 1",
      { schemaVersion: 1, fsLayers: [] },
      "Manifest is of Docker's schema 1, which is not supported: push the image again with a current tool",
    ],
    [
      "schema 3",
      { ...manifest, schemaVersion: 3 },
      '"schemaVersion" of Manifest must be a whole number from 2 to 2: current value is 3',
    ],
    ["no JSON", "{", "Manifest is not JSON"],
    ["a list", "[]", "Manifest must be an object: current value is a list"],
    [
      "a negative size (B02)",
      { ...manifest, layers: [{ ...layer, size: -1 }] },
      '"size" of layer 0 of manifest must be a whole number from 0 to 1099511627776: current value is -1',
    ],
    [
      "a huge size (B02)",
      { ...manifest, layers: [{ ...layer, size: 10 ** 15 }] },
      '"size" of layer 0 of manifest must be a whole number from 0 to 1099511627776: current value is 1000000000000000',
    ],
    [
      "a size as text",
      { ...manifest, layers: [{ ...layer, size: "32" }] },
      '"size" of layer 0 of manifest must be a whole number from 0 to 1099511627776: current value is "32"',
    ],
    [
      "a digest that climbs (B14)",
      { ...manifest, layers: [{ ...layer, digest: "sha256:../../x" }] },
      'Digest of layer 0 of manifest must be "sha256:" and 64 lower-case hexadecimal digits: current value is "sha256:../../x"',
    ],
    [
      "a layer from elsewhere",
      { ...manifest, layers: [{ ...layer, urls: ["http://10.0.0.1/"] }] },
      `Foreign layers are not allowed, push the image with all its layers: layer 0 of manifest (${digest}) is to be fetched from elsewhere`,
    ],
    [
      "a nondistributable layer",
      {
        ...manifest,
        layers: [
          {
            ...layer,
            mediaType: `${oci}.layer.nondistributable.v1.tar+gzip`,
          },
        ],
      },
      `Foreign layers are not allowed, push the image with all its layers: layer 0 of manifest (${digest}) is to be fetched from elsewhere`,
    ],
    [
      "a layer of another kind",
      { ...manifest, layers: [{ ...layer, mediaType: "text/plain" }] },
      'Media type of layer 0 of manifest must be a tar archive, plain or with gzip or zstd: current value is "text/plain"',
    ],
    [
      "an artifact",
      { ...manifest, config: { ...config, mediaType: "application/x" } },
      'Manifest is not that of a container image: media type of its config is "application/x"',
    ],
    [
      "no config",
      { ...manifest, config: undefined },
      "config of manifest must be an object: current value is undefined",
    ],
  ])("parseManifestOrIndex() refuses %s", (_, value, message) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument, message }),
    );
  });

  test.each([
    [manifest, indexType],
    [index, manifestType],
  ])(
    "parseManifestOrIndex() refuses a document that is served as another one (B04)",
    (value, contentType) => {
      expect(() => parse(value, contentType)).toThrow(
        `Manifest is ambiguous: its own media type is "${value.mediaType}", but it is served as "${contentType}"`,
      );
    },
  );

  test.each([
    [
      "64 MiB (B02)",
      () => " ".repeat(maximumManifestSizeBytes + 1),
      "Manifest has 4194305 bytes, more than the 4194304 allowed",
    ],
    [
      "ten thousand entries (B04)",
      () => ({ ...index, manifests: Array(10_000).fill(index.manifests[0]) }),
      'Manifest has 10000 entries in "manifests", more than the 1000 allowed',
    ],
    [
      "a thousand layers",
      () => ({ ...manifest, layers: Array(1000).fill(layer) }),
      'Manifest has 1000 entries in "layers", more than the 512 allowed',
    ],
    [
      "a large config",
      () => ({ ...manifest, config: { ...config, size: 2 ** 30 } }),
      "Config of manifest has 1073741824 bytes, more than the 4194304 allowed",
    ],
  ])("parseManifestOrIndex() limits %s", (_, value, message) => {
    expect(() => parse(value())).toThrow(
      expect.objectContaining({ code: Code.ResourceExhausted, message }),
    );
  });

  test("parseManifestOrIndex() bounds depth, and refuses bytes that are no UTF-8", () => {
    expect(() => parse("[".repeat(1e6))).toThrow(
      "Manifest is nested more than 32 levels deep",
    );
    const bytes = Buffer.from([0x7b, 0xff, 0x7d]);
    expect(() => parseManifestOrIndex(bytes, undefined)).toThrow(
      "Manifest is not UTF-8",
    );
    const marked = Buffer.from(`\uFEFF${JSON.stringify(manifest)}`);
    expect(() => parseManifestOrIndex(marked, undefined)).toThrow(
      "Manifest is not JSON",
    );
  });

  test("parseManifestOrIndex() takes equal keys in different objects, and in strings", () => {
    const annotations = { a: '{"size":1,"size":2}', b: '"a":' };
    const read = parse({ ...manifest, annotations, layers: [layer, layer] });
    expect(read).toMatchObject({ layers: [{}, {}] });
  });
});
