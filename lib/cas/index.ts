export {
  byteStreamServiceDefinition,
  casServiceDefinition,
} from "./blob-messages.js";
export { collect } from "./collect.js";
export {
  type CasContext,
  type ContentAddressableStorage,
  maximumReadSizeBytes,
} from "./content-addressable-storage.js";
export {
  type Fault,
  FaultyContentAddressableStorage,
} from "./faulty-content-addressable-storage.js";
export type { BlobOwner } from "./file-blob-directory.js";
export {
  type FileCasOptions,
  FileContentAddressableStorage,
} from "./file-content-addressable-storage.js";
export { createGrpcCasClients, type GrpcCasClients } from "./grpc-clients.js";
export { GrpcContentAddressableStorage } from "./grpc-content-addressable-storage.js";
export { InMemoryContentAddressableStorage } from "./in-memory-content-addressable-storage.js";
export { readInOrder } from "./read-in-order.js";
export {
  parseReadResourceName,
  parseWriteResourceName,
  type ResourceName,
} from "./resource-name.js";
export { defaultRetrySettings, type RetrySettings, retry } from "./retry.js";
export { verifyBytes, verifyStream } from "./verify.js";
