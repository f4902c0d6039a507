export {
  type ActionImage,
  type ImagePart,
  nameOfImage,
} from "./action-image.js";
export {
  type BlobWriter,
  createBlobWriter,
  type EncodedBlob,
} from "./blob-writer.js";
export { type CommandReader, createCommandReader } from "./command-reader.js";
export { createImageTrees } from "./create-image-trees.js";
export type { ImageDelivery, ImageTrees } from "./image-delivery.js";
export {
  createInvocationKeys,
  type InvocationKeyField,
  type InvocationKeys,
  invocationKeyFields,
} from "./invocation-keys.js";
export {
  applyMetadataRules,
  type MetadataPattern,
  type MetadataRule,
} from "./metadata-rules.js";
export type { Operation } from "./operation.js";
export type { CheckImage } from "./operations/check-image-policy.js";
export type { NoImagePolicy } from "./operations/decide-place-without-image.js";
export type { TagPolicy } from "./operations/resolve-image.js";
export type { HelperSettings } from "./operations/wrap-arguments.js";
export { platformOf } from "./platform-properties.js";
export type { PropertyOverride } from "./property-table.js";
export type { RouteContext } from "./route-context.js";
export {
  createRoutePipeline,
  type Route,
  type RoutePipeline,
} from "./route-pipeline.js";
export type { RouteSettings } from "./route-settings.js";
export type { Network, Place, RoutedAction } from "./routed-action.js";
