export {
  type Credential,
  type CredentialStore,
  noCredentials,
} from "./authentication/credential.js";
export { createDockerConfigCredentials } from "./authentication/docker-config-credentials.js";
export {
  type CachingImageResolverOptions,
  createCachingImageResolver,
} from "./caching-image-resolver.js";
export {
  createConfiguredImageSource,
  type RegistryConfiguration,
  registryKeys,
} from "./configured-image-source.js";
export { createDeduplicatingImageResolver } from "./deduplicating-image-resolver.js";
export { createDispatchingImageSource } from "./dispatching-image-source.js";
export { imageLayersOf } from "./image-layers.js";
export type {
  ImageResolver,
  ResolvedImage,
  ResolveOptions,
} from "./image-resolver.js";
export type {
  FetchedManifest,
  FetchOptions,
  ImageSource,
} from "./image-source.js";
export { createLayoutImageSource } from "./layout-file-source.js";
export { createMirroringImageSource } from "./mirroring-image-source.js";
export {
  RegistryClient,
  type RegistryClientOptions,
} from "./registry-client.js";
export type {
  RegistrySettings,
  RegistrySettingsByHost,
} from "./registry-settings.js";
export { createSourceImageResolver } from "./source-image-resolver.js";
