import type { CasImage } from "../cas-image/index.js";
import type { CasReference, ImageReference } from "../image/index.js";
import type { ResolvedImage } from "../registry/index.js";

/** One of the images that an action's root consists of. */
export type ImagePart =
  | { readonly kind: "manifest"; readonly image: ResolvedImage }
  | { readonly kind: "tree"; readonly reference: CasReference };

/** What an action runs in. */
export interface ActionImage {
  /** The lowest first. */
  readonly parts: readonly ImagePart[];
  /** Its tree in CAS; undefined where workers take it from the registry. */
  readonly tree: CasImage | undefined;
}

/** The part as it was resolved: with the digest of its content. */
export function referenceOf(part: ImagePart): ImageReference {
  return part.kind === "manifest" ? part.image.reference : part.reference;
}

/** One name for all of the image. */
export function nameOfImage({ parts }: ActionImage): string {
  return parts.map((part) => `${referenceOf(part)}`).join(" + ");
}

/** The environment of all parts: of one name, that of the uppermost counts. */
export function* environmentOf({
  parts,
}: ActionImage): Generator<{ readonly name: string; readonly value: string }> {
  for (const part of parts) {
    if (part.kind === "manifest") yield* part.image.config.env;
  }
}

/** The User that the uppermost part with one names; "" if none does. */
export function userOf({ parts }: ActionImage): string {
  const users = parts.map((part) =>
    part.kind === "manifest" ? part.image.config.user : "",
  );
  return users.findLast((user) => user !== "") ?? "";
}
