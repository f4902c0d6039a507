export type { PullProgress } from "../image-pull/index.js";
export type { EvictionReason } from "./root-evictor.js";
export type { RootImage, RootLayer, TreeLayer } from "./root-image.js";
export {
  type AcquireOptions,
  type RootLease,
  RootStore,
  type RootStoreOptions,
  type StoreStatistics,
} from "./root-store.js";
export type { StoreOwner } from "./store-layout.js";
export type { StoreBudget } from "./store-room.js";
export { readTreeImage } from "./tree-image.js";
