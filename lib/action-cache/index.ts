export type { ActionCache } from "./action-cache.js";
export { createGrpcActionCache } from "./create-grpc-action-cache.js";
export { FileActionCache } from "./file-action-cache.js";
export { GrpcActionCache } from "./grpc-action-cache.js";
export { InMemoryActionCache } from "./in-memory-action-cache.js";
