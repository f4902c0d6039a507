import type { InstanceName } from "../digest/index.js";
import type {
  ImageConfig,
  ImageReference,
  Manifest,
  OciDigest,
  Platform,
} from "../image/index.js";

/** An image whose tag, index and platform are settled. */
export interface ResolvedImage {
  /** As asked for, but with the digest of the platform's manifest. */
  readonly reference: ImageReference;
  readonly manifestDigest: OciDigest;
  readonly manifest: Manifest;
  /** Its diff IDs are as many as the manifest's layers. */
  readonly config: ImageConfig;
  /** Whether a credential of ours was needed for it; absent: no. */
  readonly isPrivate?: boolean;
}

/** What a resolver's call takes. */
export interface ResolveOptions {
  /** Ends the wait; work that others wait for goes on. */
  readonly signal?: AbortSignal;
  /** For whom; what others know of the image may be used for them alone. */
  readonly instanceName?: InstanceName | undefined;
}

/**
 * Finds what a reference means on a platform. Tags are looked up, indexes
 * followed by chooseIndexEntry's rule, and the config is checked against the
 * platform. Whether the caller may use the image is not asked here: the image
 * policy says so before, on every call, since implementations keep results.
 */
export interface ImageResolver {
  /**
   * Throws InvalidArgument for a malformed image or one that does not run on
   * the platform, and what ImageSource throws; each text names the image.
   */
  resolve(
    reference: ImageReference,
    platform: Platform,
    options?: ResolveOptions,
  ): Promise<ResolvedImage>;
}
