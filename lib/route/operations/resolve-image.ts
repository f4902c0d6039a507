import {
  type ImageReference,
  type LayoutReference,
  type OciDigest,
  type Platform,
  platformFromProperties,
  type RegistryReference,
} from "../../image/index.js";
import type { ImageResolver, ResolvedImage } from "../../registry/index.js";
import { Code, StatusError, toStatusError } from "../../status/index.js";
import type { ImagePart } from "../action-image.js";
import type { Operation } from "../operation.js";
import type { Place } from "../routed-action.js";

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

/** Settles which manifests the action's images are on its platform. */
export function resolveImage(options: ResolveImageOptions): Operation {
  const { images, defaultPlatform } = options;
  return async (routed, context) => {
    const { asked, properties } = routed;
    if (asked.length === 0) return routed;
    const platform = platformFromProperties(properties, defaultPlatform);
    const find = (reference: RegistryReference | LayoutReference) =>
      images.resolve(reference, platform, context);
    const parts = await Promise.all(
      asked.map((reference) => resolvePart(reference, find, options)),
    );
    const place: Place = { kind: "image", image: { parts, tree: undefined } };
    const mayMove = options.tags.kind === "resolve" && !asked.every(isPinned);
    const action = mayMove
      ? { ...routed.action, doNotCache: true }
      : routed.action;
    return { ...routed, action, place };
  };
}

interface ResolveImageOptions {
  images: ImageResolver;
  tags: TagPolicy;
  defaultPlatform: Platform;
  /** The property that errors name. */
  imageProperty: string;
}

type Find = (
  reference: RegistryReference | LayoutReference,
) => Promise<ResolvedImage>;

async function resolvePart(
  reference: ImageReference,
  find: Find,
  { tags, imageProperty }: ResolveImageOptions,
): Promise<ImagePart> {
  if (reference.kind === "cas") return { kind: "tree", reference };
  const isMeant = isPinned(reference) || tags.kind === "resolve";
  if (!isMeant && tags.kind === "reject") {
    throw await tagError(reference, find, imageProperty);
  }
  const meant =
    !isMeant && tags.kind === "pin"
      ? pin(reference, tags.pins, imageProperty)
      : reference;
  return { kind: "manifest", image: await find(meant) };
}

function isPinned(reference: ImageReference): boolean {
  return reference.kind === "cas" || reference.digest !== undefined;
}

function pin(
  reference: RegistryReference | LayoutReference,
  pins: ReadonlyMap<string, OciDigest>,
  imageProperty: string,
): RegistryReference | LayoutReference {
  const digest = pins.get(reference.toString());
  if (digest === undefined) {
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
  reference: RegistryReference | LayoutReference,
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
