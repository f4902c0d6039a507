import { z } from "zod";
import {
  formatPlatform,
  type ImageConfig,
  type ImageReference,
  type Manifest,
  type Platform,
  parseOciDigest,
} from "../image/index.js";
import type { ImageResolver, ResolvedImage } from "../registry/index.js";
import type { AuthenticatedRecords } from "./authenticated-records.js";

/**
 * Remembers what digests resolve to, for replicas and restarts: they need not
 * ask the registry, which may be away. Tags are asked for each time. Whether
 * the caller may use the image was decided before.
 */
export function createRecordedImageResolver(
  resolver: ImageResolver,
  records: AuthenticatedRecords,
): ImageResolver {
  return {
    resolve: async (reference, platform, options = {}) => {
      const { instanceName } = options;
      if (instanceName === undefined || !isPinned(reference)) {
        return resolver.resolve(reference, platform, options);
      }
      const name = nameOf(reference, platform);
      const record = await records.get(name, instanceName);
      const known = record && tryRead(record, reference);
      if (known !== undefined) return known;
      const image = await resolver.resolve(reference, platform, options);
      // A private one has to be confirmed by its registry from time to time.
      if (image.isPrivate !== true) {
        await records.put(name, write(image), instanceName);
      }
      return image;
    },
  };
}

function isPinned(reference: ImageReference): boolean {
  return reference.kind !== "cas" && reference.digest !== undefined;
}

function nameOf(reference: ImageReference, platform: Platform): string {
  return `image ${reference} ${formatPlatform(platform)}`;
}

/** The record carries a MAC, so that its shape alone has to be looked at. */
const schema = z.object({
  manifestDigest: z.string(),
  manifest: z.looseObject({ layers: z.array(z.unknown()) }),
  config: z.looseObject({ diffIds: z.array(z.string()) }),
});

function write({ manifestDigest, manifest, config }: ResolvedImage): Buffer {
  return Buffer.from(JSON.stringify({ manifestDigest, manifest, config }));
}

function tryRead(
  record: Buffer,
  reference: ImageReference,
): ResolvedImage | undefined {
  if (reference.kind === "cas") return undefined;
  try {
    const read = schema.parse(JSON.parse(record.toString()));
    const manifestDigest = parseOciDigest(read.manifestDigest, "Digest");
    return {
      reference: reference.withDigest(manifestDigest),
      manifestDigest,
      manifest: read.manifest as unknown as Manifest, // as it was written
      config: read.config as unknown as ImageConfig, // as it was written
    };
  } catch {
    return undefined; // of an older version of ours
  }
}
