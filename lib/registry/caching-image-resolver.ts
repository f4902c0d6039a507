import { LRUCache } from "lru-cache";
import {
  formatPlatform,
  type ImageReference,
  type Platform,
} from "../image/index.js";
import {
  isCacheable,
  type StatusError,
  toStatusError,
} from "../status/index.js";
import type { ImageResolver, ResolvedImage } from "./image-resolver.js";

/** How long answers are kept. */
export interface CachingImageResolverOptions {
  /** Of a tag, which may move at any time; default 60 s. */
  readonly tagLifetimeMs?: number;
  /**
   * Of an image that needed credentials, pinned or not; default 1 h. After
   * it, the registry is asked whether we may still read it.
   */
  readonly privateLifetimeMs?: number;
  /** Of NotFound, PermissionDenied and InvalidArgument; default 10 s. */
  readonly failureLifetimeMs?: number;
  /** Of all answers together, as their manifests state it; default 64 MiB. */
  readonly maximumBytes?: number;
  /** Milliseconds, on a clock that never goes back. */
  readonly now?: () => number;
}

type Answer =
  | { readonly image: ResolvedImage }
  | { readonly failure: StatusError };

/** What an answer costs besides its config and layers, roughly. */
const baseBytes = 2048;
const bytesPerLayer = 512;

/**
 * Keeps answers: what a digest means for as long as there is room, or until a
 * private image's access has to be confirmed; what a tag means for a while;
 * failures that do not mend themselves (isCacheable) for a
 * moment, so that a build of a thousand actions with one wrong name does not
 * ask a thousand times. It knows no tenants: whether the caller may use the
 * image has to be decided before.
 */
export function createCachingImageResolver(
  resolver: ImageResolver,
  options: CachingImageResolverOptions = {},
): ImageResolver {
  const { tagLifetimeMs = 60_000, failureLifetimeMs = 10_000 } = options;
  const { privateLifetimeMs = 3_600_000 } = options;
  const answers = new LRUCache<string, Answer>({
    maxSize: options.maximumBytes ?? 64 * 1024 * 1024,
    sizeCalculation: sizeOf,
    perf: { now: options.now ?? (() => performance.now()) },
    ttlResolution: 0,
  });
  const keep = (key: string, answer: Answer, lifetimeMs: number) => {
    if (lifetimeMs > 0) answers.set(key, answer, { ttl: lifetimeMs });
  };
  const keepPinned = (key: string, image: ResolvedImage) => {
    if (image.isPrivate === true) keep(key, { image }, privateLifetimeMs);
    // Without a lifetime, so until the room is needed.
    else answers.set(key, { image });
  };
  return {
    resolve: async (reference, platform, resolveOptions) => {
      const key = keyOf(reference, platform);
      const known = answers.get(key);
      if (known !== undefined) return unpack(known);
      try {
        const image = await resolver.resolve(
          reference,
          platform,
          resolveOptions,
        );
        if (isPinned(reference)) keepPinned(key, image);
        else keep(key, { image }, tagLifetimeMs);
        keepPinned(keyOf(image.reference, platform), image);
        return image;
      } catch (error) {
        const failure = toStatusError(error);
        if (isCacheable(failure.code)) {
          keep(key, { failure }, failureLifetimeMs);
        }
        throw failure;
      }
    },
  };
}

function keyOf(reference: ImageReference, platform: Platform): string {
  return `${reference} ${formatPlatform(platform)}`;
}

function isPinned(reference: ImageReference): boolean {
  return reference.kind === "cas" || reference.digest !== undefined;
}

function unpack(answer: Answer): ResolvedImage {
  if ("failure" in answer) throw answer.failure;
  return answer.image;
}

function sizeOf(answer: Answer): number {
  if ("failure" in answer) return baseBytes;
  const { config, layers } = answer.image.manifest;
  return baseBytes + config.sizeBytes + layers.length * bytesPerLayer;
}
