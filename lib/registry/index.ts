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
