import { JsonObject } from "./json-object.js";
import { type OciDigest, parseOciDigest } from "./oci-digest.js";

/** Points to a blob (OCI image specification, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: OciDigest;
  readonly sizeBytes: number;
}

/**
 * 1 TiB: no real layer is near it, and sums over all layers of a manifest
 * stay exact.
 */
const maximumBlobSizeBytes = 2 ** 40;

const fields = ["mediaType", "digest", "size", "urls", "platform"];

/** The JSON of a descriptor, checked to be an object. */
export function descriptorObject(value: unknown, subject: string): JsonObject {
  return JsonObject.of(value, subject, fields);
}

/**
 * Reads a descriptor. `data` (bytes given along) is ignored, the blob is
 * fetched as any other. Throws InvalidArgument, naming the subject, on a
 * digest or a size that no blob can have.
 */
export function parseDescriptor(
  object: JsonObject,
  subject: string,
): Descriptor {
  return {
    mediaType: (object.string("mediaType") ?? "").toLowerCase(),
    digest: parseOciDigest(object.get("digest"), `Digest of ${subject}`),
    sizeBytes: object.integer("size", 0, maximumBlobSizeBytes),
  };
}
