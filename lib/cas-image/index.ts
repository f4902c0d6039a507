export {
  type AuthenticatedRecords,
  createAuthenticatedRecords,
} from "./authenticated-records.js";
export {
  type CasImage,
  CasImageKeeper,
  type CasImageKeeperOptions,
  type KeepContext,
  type KeeperEvent,
} from "./cas-image-keeper.js";
export {
  createComposedOrigin,
  createImportOrigin,
  createTreeOrigin,
  type FoundTree,
  type ImageOrigin,
  type OriginContext,
} from "./image-origin.js";
export { createRecordedImageResolver } from "./recorded-image-resolver.js";
export { createStoredLayerRecords } from "./stored-layer-records.js";
