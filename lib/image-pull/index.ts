export type { ImageLayer } from "./image-layer.js";
export { type LayerWaiter, pullLayers } from "./pull-layers.js";
export type { PulledLayer, PullProgress } from "./pull-progress.js";
