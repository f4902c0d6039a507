import {
  type ImageReference,
  type OciDigest,
  type Platform,
  platformFromProperties,
} from "../../image/index.js";
import type { ImageResolver } from "../../registry/index.js";
import { Code, StatusError, toStatusError } from "../../status/index.js";
import type { Operation } from "../operation.js";
import type { RoutedAction } from "../routed-action.js";

/**
 * What happens to an image that is named by a tag. A tag moves, while results
 * in the action cache stay what they were.
 */
export type TagPolicy =
  /** Refused; the error names the digest to use instead. */
  | { readonly kind: "reject" }
  /** Taken from a map: canonical reference with tag → digest. */
  | { readonly kind: "pin"; readonly pins: ReadonlyMap<string, OciDigest> }
  /** Looked up, and the result is not cached. */
  | { readonly kind: "resolve" };

/** Settles which manifest the action's image is on the action's platform. */
export function resolveImage(options: {
  images: ImageResolver;
  tags: TagPolicy;
  defaultPlatform: Platform;
  /** The property that errors name. */
  imageProperty: string;
}): Operation {
  const { images, defaultPlatform } = options;
  return async (routed, context) => {
    if (routed.asked === undefined) return routed;
    const platform = platformFromProperties(routed.properties, defaultPlatform);
    const find = (reference: ImageReference) =>
      images.resolve(reference, platform, context);
    const { tags } = options;
    if (isPinned(routed.asked)) return placed(routed, await find(routed.asked));
    switch (tags.kind) {
      case "reject":
        throw await tagError(routed.asked, find, options.imageProperty);
      case "pin":
        return placed(
          routed,
          await find(pin(routed.asked, tags.pins, options.imageProperty)),
        );
      case "resolve": {
        const { action } = routed;
        const image = await find(routed.asked);
        return placed(
          { ...routed, action: { ...action, doNotCache: true } },
          image,
        );
      }
    }
  };
}

type Find = (reference: ImageReference) => ReturnType<ImageResolver["resolve"]>;

function isPinned(reference: ImageReference): boolean {
  return reference.kind === "cas" || reference.digest !== undefined;
}

function placed(
  routed: RoutedAction,
  image: Awaited<ReturnType<Find>>,
): RoutedAction {
  return { ...routed, place: { kind: "image", image } };
}

function pin(
  reference: ImageReference,
  pins: ReadonlyMap<string, OciDigest>,
  imageProperty: string,
): ImageReference {
  const digest = pins.get(reference.toString());
  if (digest === undefined || reference.kind === "cas") {
    throw new StatusError(
      Code.InvalidArgument,
      `Platform property "${imageProperty}" must name an image by digest, or by a tag that the router's pins list: current value is "${reference}"`,
    );
  }
  return reference.withDigest(digest);
}

/**
 * The refusal of a tag. What it stands for is looked up, so that the text has
 * what to write instead; where the registry is away, the refusal stands
 * without it, but a tag that does not exist is the better news.
 */
async function tagError(
  reference: ImageReference,
  find: Find,
  imageProperty: string,
): Promise<StatusError> {
  const rule = `Platform property "${imageProperty}" must name an image by digest, since tags move: current value is "${reference}"`;
  try {
    const { reference: resolved } = await find(reference);
    const text =
      resolved.kind === "registry" ? `docker://${resolved}` : resolved;
    return new StatusError(Code.InvalidArgument, `${rule}, use "${text}"`);
  } catch (error) {
    const { code, message } = toStatusError(error);
    if (code !== Code.Unavailable) throw error;
    return new StatusError(
      Code.InvalidArgument,
      `${rule} (its digest could not be looked up: ${message})`,
      { cause: error },
    );
  }
}
