/** How a layer's blob is compressed, as its media type says. */
export type LayerCompression = "gzip" | "zstd" | "none";

/** What the manifest states about a layer's blob; nothing of it is trusted. */
export interface LayerDescriptor {
  /** "sha256:" and 64 hexadecimal digits, over the blob as it is served. */
  readonly digest: string;
  /** Of the blob as it is served. */
  readonly sizeBytes: number;
  readonly compression: LayerCompression;
}
