export type { CasReference } from "./cas-reference.js";
export { chooseIndexEntry, runsOn } from "./choose-index-entry.js";
export type { Descriptor } from "./descriptor.js";
export { type ImageConfig, parseImageConfig } from "./image-config.js";
export type { ImageIndex, IndexEntry } from "./image-index.js";
export { type ImagePattern, parseImagePattern } from "./image-pattern.js";
export {
  createImagePolicy,
  type ImagePolicy,
  type ImagePolicyRule,
} from "./image-policy.js";
export {
  type ImageReference,
  type ImageReferenceOptions,
  parseImageReference,
} from "./image-reference.js";
export { LayoutReference } from "./layout-reference.js";
export type { LayerDescriptor, Manifest } from "./manifest.js";
export {
  indexMediaTypes,
  type LayerCompression,
  manifestMediaTypes,
} from "./media-type.js";
export {
  hashOfOciDigest,
  type OciDigest,
  ociDigestOf,
  parseOciDigest,
} from "./oci-digest.js";
export { parseImageList } from "./parse-image-list.js";
export {
  maximumManifestSizeBytes,
  parseManifestOrIndex,
} from "./parse-manifest-or-index.js";
export {
  formatPlatform,
  normalisePlatform,
  type Platform,
  parsePlatform,
  platformFromProperties,
} from "./platform.js";
export { parseRegistryHost } from "./registry-host.js";
export { RegistryReference } from "./registry-reference.js";
export { compileWildcards } from "./wildcards.js";
