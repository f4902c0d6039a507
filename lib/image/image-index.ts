import {
  type Descriptor,
  descriptorObject,
  parseDescriptor,
} from "./descriptor.js";
import { JsonObject } from "./json-object.js";
import { normalisePlatform, type Platform } from "./platform.js";

/** One manifest, or nested index, of an index. */
export interface IndexEntry extends Descriptor {
  /** Undefined where the index does not say. */
  readonly platform: Platform | undefined;
  /** The annotation org.opencontainers.image.ref.name: a tag, in layouts. */
  readonly name: string | undefined;
}

/**
 * An image for several platforms (OCI image specification, image-index.md;
 * Docker's manifest list).
 */
export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly entries: readonly IndexEntry[];
}

/** Far above what builders make; bounds the search and error texts. */
const maximumEntries = 1000;

/**
 * Reads an index whose media type is already settled; parseManifestOrIndex
 * does that. Throws InvalidArgument, or ResourceExhausted above a limit.
 */
export function parseImageIndex(
  object: JsonObject,
  mediaType: string,
): ImageIndex {
  const entries = object
    .list("manifests", maximumEntries)
    .map((entry, index) => parseEntry(entry, `manifest ${index} of index`));
  return { kind: "index", mediaType, entries };
}

function parseEntry(value: unknown, subject: string): IndexEntry {
  const object = descriptorObject(value, subject);
  const annotations = object.has("annotations")
    ? JsonObject.of(object.get("annotations"), `annotations of ${subject}`, [])
    : undefined;
  return {
    ...parseDescriptor(object, subject),
    platform: parseEntryPlatform(object.get("platform"), subject),
    name: annotations?.string("org.opencontainers.image.ref.name"),
  };
}

function parseEntryPlatform(
  value: unknown,
  subject: string,
): Platform | undefined {
  if (value === undefined) return undefined;
  const object = JsonObject.of(value, `platform of ${subject}`, [
    "os",
    "architecture",
    "variant",
  ]);
  return normalisePlatform({
    os: object.string("os") ?? "",
    architecture: object.string("architecture") ?? "",
    variant: object.string("variant"),
  });
}
