export {
  type Credential,
  type CredentialStore,
  noCredentials,
} from "./authentication/credential.js";
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
export {
  RegistryClient,
  type RegistryClientOptions,
} from "./registry-client.js";
export type {
  RegistrySettings,
  RegistrySettingsByHost,
} from "./registry-settings.js";
export { createSourceImageResolver } from "./source-image-resolver.js";
