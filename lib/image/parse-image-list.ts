import { Code, StatusError } from "../status/index.js";
import {
  type ImageReference,
  type ImageReferenceOptions,
  parseImageReference,
} from "./image-reference.js";

/** Each is an image to keep; more is a mistake. */
const maximumImages = 16;

/**
 * Parses images that are laid over each other, joined by "+" with or without
 * spaces, the lowest first: `debian@sha256:… + cas://…`. Layouts whose path
 * holds "+" cannot be named. Throws InvalidArgument.
 */
export function parseImageList(
  text: string,
  options: ImageReferenceOptions = {},
): readonly ImageReference[] {
  const parts = text.split(/ *\+ */, maximumImages + 1);
  if (parts.length > maximumImages) {
    throw new StatusError(
      Code.InvalidArgument,
      `At most ${maximumImages} images can be laid over each other`,
    );
  }
  return parts.map((part) => parseImageReference(part, options));
}
