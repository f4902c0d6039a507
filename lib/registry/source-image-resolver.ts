import {
  chooseIndexEntry,
  type Descriptor,
  formatPlatform,
  type ImageConfig,
  type ImageReference,
  type Manifest,
  type OciDigest,
  type Platform,
  parseImageConfig,
  parseManifestOrIndex,
  runsOn,
} from "../image/index.js";
import { Code, StatusError, wrap } from "../status/index.js";
import type {
  ImageResolver,
  ResolvedImage,
  ResolveOptions,
} from "./image-resolver.js";
import type { FetchOptions, ImageSource } from "./image-source.js";

/** Indexes within indexes: builders make one level, and none needs more. */
const maximumIndexDepth = 3;

/**
 * A resolver that asks the source each time: one manifest, or an index and
 * the manifest chosen from it, and the config.
 */
export function createSourceImageResolver(source: ImageSource): ImageResolver {
  return {
    resolve: async (reference, platform, options = {}) => {
      try {
        return await resolveFrom(source, { reference, platform, options });
      } catch (error) {
        throw wrap(error, `Failed to resolve image "${reference}"`);
      }
    },
  };
}

interface Question {
  readonly reference: ImageReference;
  readonly platform: Platform;
  readonly options: ResolveOptions;
}

async function resolveFrom(
  source: ImageSource,
  question: Question,
): Promise<ResolvedImage> {
  const { reference, platform, options } = question;
  const { manifestDigest, manifest, isPrivate } = await findManifest(
    source,
    question,
  );
  const pinned = withDigest(reference, manifestDigest);
  const data = await readBlob(
    source.openBlob(pinned, manifest.config, options),
    manifest.config,
  );
  const config = parseImageConfig(data);
  checkConfig(config, manifest, platform);
  return { reference: pinned, manifestDigest, manifest, config, isPrivate };
}

async function findManifest(
  source: ImageSource,
  { reference, platform, options }: Question,
): Promise<{
  manifestDigest: OciDigest;
  manifest: Manifest;
  isPrivate: boolean;
}> {
  let next = reference;
  let stated: Descriptor | undefined;
  for (let depth = 0; depth <= maximumIndexDepth; depth += 1) {
    const fetched = await source.fetchManifest(
      next,
      options satisfies FetchOptions,
    );
    const { digest, contentType, data, isPrivate = false } = fetched;
    checkSize(data, stated);
    const document = parseManifestOrIndex(data, contentType);
    if (document.kind === "manifest") {
      return { manifestDigest: digest, manifest: document, isPrivate };
    }
    stated = chooseIndexEntry(document, platform);
    next = withDigest(reference, stated.digest);
  }
  throw new StatusError(
    Code.InvalidArgument,
    `Image has indexes within indexes, more than ${maximumIndexDepth} deep`,
  );
}

function checkSize(data: Uint8Array, stated: Descriptor | undefined): void {
  if (stated === undefined || stated.sizeBytes === data.byteLength) return;
  throw new StatusError(
    Code.InvalidArgument,
    `Index states ${stated.sizeBytes} bytes for manifest ${stated.digest}, which has ${data.byteLength}`,
  );
}

function withDigest(
  reference: ImageReference,
  digest: OciDigest,
): ImageReference {
  if (reference.kind !== "cas") return reference.withDigest(digest);
  throw new StatusError(
    Code.InvalidArgument,
    "A tree in CAS has no manifest to resolve",
  );
}

async function readBlob(
  blob: AsyncIterable<Uint8Array>,
  { sizeBytes }: Descriptor,
): Promise<Uint8Array> {
  const data = Buffer.alloc(sizeBytes); // parseManifest bounds it
  let offset = 0;
  for await (const chunk of blob) {
    data.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return data;
}

function checkConfig(
  config: ImageConfig,
  manifest: Manifest,
  platform: Platform,
): void {
  if (config.diffIds.length !== manifest.layers.length) {
    throw new StatusError(
      Code.InvalidArgument,
      `Image config has ${config.diffIds.length} diff IDs for the ${manifest.layers.length} layers of the manifest`,
    );
  }
  if (!runsOn(config.platform, platform)) {
    throw new StatusError(
      Code.InvalidArgument,
      `Image is for platform ${formatPlatform(config.platform)}, which does not run on ${formatPlatform(platform)}`,
    );
  }
}
