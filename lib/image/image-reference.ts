import { Code, StatusError } from "../status/index.js";
import { type CasReference, parseCasReference } from "./cas-reference.js";
import { LayoutReference } from "./layout-reference.js";
import { quote } from "./quote.js";
import { RegistryReference } from "./registry-reference.js";

/**
 * What names an image. `toString()` of each kind is its canonical form: one
 * key for equal references, however they were written.
 */
export type ImageReference = RegistryReference | LayoutReference | CasReference;

/** Which references parseImageReference takes. */
export interface ImageReferenceOptions {
  /** Takes `oci:/path[:tag]`; default false. */
  readonly allowLayouts?: boolean;
  /** Takes `cas://hash/size`; default false. */
  readonly allowCas?: boolean;
  /** Refuses a reference by tag alone; default false. */
  readonly requireDigest?: boolean;
}

/**
 * Room for the longest registry, repository, tag and digest. A longer text
 * is refused before any pattern is tried on it.
 */
const maximumReferenceLength = 1024;

/**
 * Parses an image reference: `[docker://][registry/]repository[:tag][@digest]`
 * with Docker Hub's short names, or, where the caller allows them,
 * `oci:/path[:tag][@digest]` and `cas://hash/size`. Nothing is looked up.
 * Throws InvalidArgument with a text that says what to change.
 */
export function parseImageReference(
  text: string,
  options: ImageReferenceOptions = {},
): ImageReference {
  checkText(text);
  const reference = parseKind(text);
  if (reference.kind === "layout" && options.allowLayouts !== true) {
    refuse("name an image in a registry, layouts are not allowed here", text);
  }
  if (reference.kind === "cas" && options.allowCas !== true) {
    refuse("name an image in a registry, CAS trees are not allowed here", text);
  }
  if (
    options.requireDigest === true &&
    reference.kind !== "cas" &&
    reference.digest === undefined
  ) {
    refuse('name a digest ("…@sha256:…"), a tag is not enough', text);
  }
  return reference;
}

function parseKind(text: string): ImageReference {
  if (text.startsWith("oci:/")) return LayoutReference.parse(text.slice(4));
  if (text.startsWith("cas://")) return parseCasReference(text.slice(6));
  const name = text.startsWith("docker://") ? text.slice(9) : text;
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(name)?.[0];
  if (scheme !== undefined) {
    refuse(`not hold "${scheme}" before the registry`, text);
  }
  return RegistryReference.parse(name);
}

function checkText(text: string): void {
  if (text === "") {
    refuse('name an image, such as "docker.io/library/debian@sha256:…"', text);
  }
  if (text.length > maximumReferenceLength) {
    refuse(`have ${maximumReferenceLength} characters at most`, text);
  }
  if (!/^[\x21-\x7e]+$/.test(text)) {
    refuse("consist of printable ASCII without spaces", text);
  }
}

function refuse(what: string, text: string): never {
  throw new StatusError(
    Code.InvalidArgument,
    `Image reference must ${what}: current value is ${quote(text)}`,
  );
}
