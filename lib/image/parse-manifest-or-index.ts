import { Code, StatusError } from "../status/index.js";
import { type ImageIndex, parseImageIndex } from "./image-index.js";
import { JsonObject } from "./json-object.js";
import { type Manifest, parseManifest } from "./manifest.js";
import {
  indexMediaTypes,
  manifestMediaTypes,
  mediaTypeOfContentType,
  schema1MediaTypes,
} from "./media-type.js";
import { quote } from "./quote.js";
import { parseStrictJson } from "./strict-json.js";

/**
 * Largest manifest or index that is read, as in containers/image. Registries
 * need not take more than 4 MiB (OCI distribution specification, "Pushing
 * Manifests").
 */
export const maximumManifestSizeBytes = 4 * 1024 * 1024;

const fields = [
  "schemaVersion",
  "mediaType",
  "config",
  "layers",
  "manifests",
  "fsLayers",
];

/**
 * Reads a manifest or an index. Which of them it is must be said in one way
 * only, or two readers would see two images in the same bytes
 * (CVE-2021-41190): the document's own `mediaType`, and the Content-Type (or,
 * in a layout, the descriptor's media type) it came with, which serves alone
 * where the document has none, must agree; and the fields of the one exclude
 * those of the other. Throws InvalidArgument, ResourceExhausted above a
 * limit.
 */
export function parseManifestOrIndex(
  data: Uint8Array,
  contentType: string | undefined,
): Manifest | ImageIndex {
  if (data.byteLength > maximumManifestSizeBytes) {
    throw new StatusError(
      Code.ResourceExhausted,
      `Manifest has ${data.byteLength} bytes, more than the ${maximumManifestSizeBytes} allowed`,
    );
  }
  const value = parseStrictJson(data, "Manifest");
  const object = JsonObject.of(value, "Manifest", fields);
  checkSchema(object, contentType);
  const mediaType = settleMediaType(object.string("mediaType"), contentType);
  if (manifestMediaTypes.includes(mediaType)) {
    checkAbsent(object, ["manifests", "fsLayers"], "manifest");
    return parseManifest(object, mediaType);
  }
  checkAbsent(object, ["config", "layers", "fsLayers"], "index");
  return parseImageIndex(object, mediaType);
}

function checkSchema(
  object: JsonObject,
  contentType: string | undefined,
): void {
  const served = mediaTypeOfContentType(contentType ?? "");
  if (object.get("schemaVersion") === 1 || schema1MediaTypes.includes(served)) {
    throw new StatusError(
      Code.InvalidArgument,
      "Manifest is of Docker's schema 1, which is not supported: push the image again with a current tool",
    );
  }
  object.integer("schemaVersion", 2, 2);
}

function settleMediaType(
  own: string | undefined,
  contentType: string | undefined,
): string {
  const served = mediaTypeOfContentType(contentType ?? "");
  const mediaType = own === undefined ? served : own.toLowerCase();
  if (
    !manifestMediaTypes.includes(mediaType) &&
    !indexMediaTypes.includes(mediaType)
  ) {
    throw new StatusError(
      Code.InvalidArgument,
      `Media type of manifest must be that of an image manifest or index, of OCI or Docker: current value is ${quote(mediaType)}`,
    );
  }
  // A server that knows nothing of images sends one of these.
  const saysNothing = ["", "application/json", "application/octet-stream"];
  if (served !== mediaType && !saysNothing.includes(served)) {
    throw new StatusError(
      Code.InvalidArgument,
      `Manifest is ambiguous: its own media type is ${quote(mediaType)}, but it is served as ${quote(served)}`,
    );
  }
  return mediaType;
}

function checkAbsent(
  object: JsonObject,
  keys: readonly string[],
  kind: string,
): void {
  const found = keys.find((key) => object.has(key));
  if (found !== undefined) {
    throw new StatusError(
      Code.InvalidArgument,
      `Manifest is ambiguous: its media type is that of an ${kind === "index" ? "index" : "image manifest"}, but it holds "${found}"`,
    );
  }
}
