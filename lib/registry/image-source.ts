import type { Descriptor, ImageReference, OciDigest } from "../image/index.js";

/** A manifest or an index as it came, verified where a digest was asked for. */
export interface FetchedManifest {
  /** Of the bytes, computed here; never what a header says. */
  readonly digest: OciDigest;
  /** How it was served, for documents that do not name their media type. */
  readonly contentType: string | undefined;
  readonly data: Uint8Array;
  /** Whether a credential of ours was needed for it; absent: no. */
  readonly isPrivate?: boolean;
}

/** What every call of a source takes. */
export interface FetchOptions {
  /** Ends the call, also while it waits to try again. */
  readonly signal?: AbortSignal;
}

/**
 * Where images come from: a registry, or a layout on disk. Implementations
 * verify every byte; callers need not.
 */
export interface ImageSource {
  /**
   * Fetches the manifest or index that the reference names, by its digest if
   * it has one. Throws NotFound, Unauthenticated or PermissionDenied,
   * Unavailable when another attempt may help, DataLoss when the bytes are not
   * those of the digest.
   */
  fetchManifest(
    reference: ImageReference,
    options?: FetchOptions,
  ): Promise<FetchedManifest>;

  /**
   * Reads a blob of the reference's repository. The iterator ends only after
   * size and digest were found right, and the last chunk is given out only
   * then; else it throws (DataLoss for wrong bytes, codes as above). Leaving
   * the loop early closes the connection. Nothing is fetched before the first
   * chunk is asked for.
   */
  openBlob(
    reference: ImageReference,
    descriptor: Descriptor,
    options?: FetchOptions,
  ): AsyncIterable<Uint8Array>;
}
