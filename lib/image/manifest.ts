import { Code, StatusError } from "../status/index.js";
import {
  type Descriptor,
  descriptorObject,
  parseDescriptor,
} from "./descriptor.js";
import type { JsonObject } from "./json-object.js";
import {
  compressionOfMediaType,
  configMediaTypes,
  isForeignMediaType,
  type LayerCompression,
} from "./media-type.js";
import { quote } from "./quote.js";

/** A layer's descriptor; its media type says how it is compressed. */
export interface LayerDescriptor extends Descriptor {
  readonly compression: LayerCompression;
}

/** One platform's image (OCI image specification, manifest.md). */
export interface Manifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  /** The lowest layer first. */
  readonly layers: readonly LayerDescriptor[];
}

/** Docker makes 127 at most; this leaves room for other builders. */
const maximumLayers = 512;

/** Largest config that is fetched; real ones have a few kilobytes. */
export const maximumConfigSizeBytes = 4 * 1024 * 1024;

/**
 * Reads a manifest whose media type is already settled; parseManifestOrIndex
 * does that. Throws InvalidArgument for what is no container image or what
 * points outside of its registry, ResourceExhausted above a limit.
 */
export function parseManifest(object: JsonObject, mediaType: string): Manifest {
  const config = parseDescriptor(
    descriptorObject(object.get("config"), "config of manifest"),
    "config of manifest",
  );
  if (!configMediaTypes.includes(config.mediaType)) {
    throw new StatusError(
      Code.InvalidArgument,
      `Manifest is not that of a container image: media type of its config is ${quote(config.mediaType)}`,
    );
  }
  if (config.sizeBytes > maximumConfigSizeBytes) {
    throw new StatusError(
      Code.ResourceExhausted,
      `Config of manifest has ${config.sizeBytes} bytes, more than the ${maximumConfigSizeBytes} allowed`,
    );
  }
  const layers = object
    .list("layers", maximumLayers)
    .map((layer, index) => parseLayer(layer, `layer ${index} of manifest`));
  return { kind: "manifest", mediaType, config, layers };
}

function parseLayer(value: unknown, subject: string): LayerDescriptor {
  const object = descriptorObject(value, subject);
  const descriptor = parseDescriptor(object, subject);
  // Whoever wrote the manifest would choose which hosts we talk to, and
  // possibly with whose credentials (CVE-2020-15157).
  if (
    isForeignMediaType(descriptor.mediaType) ||
    object.strings("urls", 16).length > 0
  ) {
    throw new StatusError(
      Code.InvalidArgument,
      `Foreign layers are not allowed, push the image with all its layers: ${subject} (${descriptor.digest}) is to be fetched from elsewhere`,
    );
  }
  const compression = compressionOfMediaType(descriptor.mediaType);
  if (compression === undefined) {
    throw new StatusError(
      Code.InvalidArgument,
      `Media type of ${subject} must be a tar archive, plain or with gzip or zstd: current value is ${quote(descriptor.mediaType)}`,
    );
  }
  return { ...descriptor, compression };
}
