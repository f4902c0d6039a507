import { startEvilRegistry } from "../../../test/fixtures/evil-registry.js";
import {
  buildTestImage,
  pushTestImage,
  type TestImage,
} from "../../../test/fixtures/test-image.js";
import {
  type ImageReference,
  type LayerDescriptor,
  parseImageReference,
  parseManifestOrIndex,
} from "../../image/index.js";
import { RegistryClient, type RegistryClientOptions } from "../index.js";

/** A client, an image, and a registry that lies about it. */
export type EvilSetup = Awaited<ReturnType<typeof setupEvilRegistry>>;

/**
 * Starts an evil registry that holds one image as `pub/x:t`, and a client
 * whose pauses take no time and are written down.
 */
export async function setupEvilRegistry(
  options: {
    readonly client?: RegistryClientOptions;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
) {
  const registry = await startEvilRegistry(options.env);
  const image = buildTestImage();
  await pushTestImage(registry.host, "pub/x", { image, tag: "t" });
  const pauses: number[] = [];
  const client = createTestClient(pauses, options.client);
  return {
    host: registry.host,
    image,
    client,
    pauses,
    layer: layerOf(image),
    pulls: registry.pulls,
    /** The image under a fault, by digest or by another name given. */
    reference: (fault: string, name = `@${image.digest}`): ImageReference =>
      parseImageReference(`${registry.host}/${fault}/pub/x${name}`),
    stop: async () => {
      await client.close();
      await registry.stop();
    },
  };
}

/** A client that writes its pauses down and does not take them. */
export function createTestClient(
  pauses: number[],
  options: RegistryClientOptions = {},
): RegistryClient {
  return new RegistryClient({
    ...options,
    retry: {
      random: () => 1,
      sleep: (ms) => {
        pauses.push(ms);
        return Promise.resolve();
      },
      ...options.retry,
    },
  });
}

/** The first layer of an image. */
export function layerOf(image: TestImage): LayerDescriptor {
  const manifest = parseManifestOrIndex(image.manifest, image.mediaType);
  const layer = manifest.kind === "manifest" ? manifest.layers[0] : undefined;
  if (layer === undefined) throw new Error("The image has no layer");
  return layer;
}

/** What a blob gave before it ended or failed. */
export async function drain(blob: AsyncIterable<Uint8Array>): Promise<{
  readonly data: Buffer;
  readonly error: unknown;
}> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of blob) chunks.push(chunk);
    return { data: Buffer.concat(chunks), error: undefined };
  } catch (error) {
    return { data: Buffer.concat(chunks), error };
  }
}
