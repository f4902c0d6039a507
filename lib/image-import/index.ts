export { DigestList } from "./digest-list.js";
export {
  ImageImporter,
  type ImageImporterOptions,
  type ImportableImage,
  type ImportedImage,
  type ImportOptions,
} from "./image-importer.js";
export type { DroppedFromImage, StoredBlobs } from "./import-worker-job.js";
export {
  createInMemoryLayerRecordCache,
  type LayerRecordCache,
} from "./layer-record-cache.js";
