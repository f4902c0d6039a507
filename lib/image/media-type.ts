/** How a layer's archive is compressed. */
export type LayerCompression = "gzip" | "zstd" | "none";

const oci = "application/vnd.oci.image";
const docker = "application/vnd.docker";

/** Media types of a manifest (OCI image specification; Docker v2 schema 2). */
export const manifestMediaTypes: readonly string[] = [
  `${oci}.manifest.v1+json`,
  `${docker}.distribution.manifest.v2+json`,
];

/** Media types of an index, which Docker calls a manifest list. */
export const indexMediaTypes: readonly string[] = [
  `${oci}.index.v1+json`,
  `${docker}.distribution.manifest.list.v2+json`,
];

/** Media types of manifests of schema 1, which are refused with their name. */
export const schema1MediaTypes: readonly string[] = [
  `${docker}.distribution.manifest.v1+json`,
  `${docker}.distribution.manifest.v1+prettyjws`,
];

/** Media types of an image's config. */
export const configMediaTypes: readonly string[] = [
  `${oci}.config.v1+json`,
  `${docker}.container.image.v1+json`,
];

const compressions: ReadonlyMap<string, LayerCompression> = new Map([
  [`${oci}.layer.v1.tar`, "none"],
  [`${oci}.layer.v1.tar+gzip`, "gzip"],
  [`${oci}.layer.v1.tar+zstd`, "zstd"],
  [`${docker}.image.rootfs.diff.tar`, "none"],
  [`${docker}.image.rootfs.diff.tar.gzip`, "gzip"],
  // Docker v2s2 has no name for zstd; BuildKit and containers/image use this.
  [`${docker}.image.rootfs.diff.tar.zstd`, "zstd"],
]);

/** The compression that a layer's media type names, if it is one we read. */
export function compressionOfMediaType(
  mediaType: string,
): LayerCompression | undefined {
  return compressions.get(mediaType);
}

/**
 * Whether a layer's media type says that its bytes are to be had elsewhere
 * than in the registry (OCI "nondistributable", Docker "foreign").
 */
export function isForeignMediaType(mediaType: string): boolean {
  return (
    mediaType.startsWith(`${oci}.layer.nondistributable.`) ||
    mediaType.startsWith(`${docker}.image.rootfs.foreign.`)
  );
}

/** A Content-Type header's media type, without parameters, in lower case. */
export function mediaTypeOfContentType(header: string): string {
  return (header.split(";")[0] ?? "").trim().toLowerCase();
}
