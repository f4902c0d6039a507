export { decodeLayer, openEncodedLayer } from "./decode-layer.js";
export { encodeLayer, encodeLayerInParts } from "./encode-layer.js";
export type { FileSink } from "./file-sink.js";
export type { DroppedCounts, Layer, LayerEntry } from "./layer.js";
export type { LayerCompression, LayerDescriptor } from "./layer-descriptor.js";
export { defaultLayerLimits, type LayerLimits } from "./layer-limits.js";
export { type ReadLayerOptions, readLayer } from "./read-layer.js";
