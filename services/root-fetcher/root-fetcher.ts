import {
  type CasReference,
  hashOfOciDigest,
  type ImageReference,
  type Platform,
  parseImageReference,
  type RegistryReference,
} from "../../lib/image/index.js";
import {
  type ImageResolver,
  type ImageSource,
  imageLayersOf,
} from "../../lib/registry/index.js";
import type {
  PullProgress,
  RootImage,
  RootLease,
  RootStore,
} from "../../lib/root-store/index.js";
import { Code, StatusError, wrap } from "../../lib/status/index.js";

/** What a root fetcher is made of. */
export interface RootFetcherOptions {
  readonly store: RootStore;
  readonly resolver: ImageResolver;
  readonly source: ImageSource;
  /** Chooses from an index. */
  readonly platform: Platform;
  /** Reads the Directories of a tree in CAS; undefined where none is known. */
  readonly readTree:
    | ((reference: CasReference, signal: AbortSignal) => Promise<RootImage>)
    | undefined;
}

/** What an acquirer tells. */
export interface FetchRootOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/**
 * Leases image roots by image reference: the store's root where there is one,
 * else pulled from the registry, or made of a tree in CAS.
 */
export class RootFetcher {
  readonly #options: RootFetcherOptions;

  constructor(options: RootFetcherOptions) {
    this.#options = options;
  }

  /**
   * Leases the root of an image that is named with its digest. Throws
   * InvalidArgument for any other reference, FailedPrecondition for a tree
   * where no CAS is known, and what RootStore.acquire throws.
   */
  async acquire(text: string, options: FetchRootOptions): Promise<RootLease> {
    const reference = parseReference(text);
    try {
      return await this.#options.store.acquire(rootName(reference), {
        ...options,
        image: (signal) =>
          reference.kind === "cas"
            ? this.#read(reference, signal)
            : this.#find(reference, signal),
      });
    } catch (error) {
      throw wrap(error, `Failed to make the root of image "${reference}"`);
    }
  }

  /** Notes the use of the root with these 64 hexadecimal digits. */
  used(hex: string): void {
    this.#options.store.touch(hex);
  }

  async #read(
    reference: CasReference,
    signal: AbortSignal,
  ): Promise<RootImage> {
    const { readTree } = this.#options;
    if (readTree !== undefined) return readTree(reference, signal);
    throw new StatusError(
      Code.FailedPrecondition,
      'No CAS is known here: set "cas" with its "address" and "instanceName" in the configuration of the root fetcher',
    );
  }

  async #find(
    reference: RegistryReference,
    signal: AbortSignal,
  ): Promise<RootImage> {
    const { resolver, source, platform } = this.#options;
    const image = await resolver.resolve(reference, platform, { signal });
    if (image.manifestDigest !== reference.digest) {
      throw new StatusError(
        Code.InvalidArgument,
        `Digest must be that of a manifest, not of an index: use ${image.manifestDigest} for this platform`,
      );
    }
    return {
      reference: reference.toString(),
      config: image.config,
      layers: imageLayersOf(image, source),
    };
  }
}

/** What there is a root of: a manifest or a tree, by its digest. */
type RootReference =
  | CasReference
  | (RegistryReference & {
      digest: NonNullable<RegistryReference["digest"]>;
    });

function rootName(reference: RootReference): string {
  return reference.kind === "cas"
    ? reference.directoryDigest.hash
    : hashOfOciDigest(reference.digest);
}

function parseReference(text: string): RootReference {
  const reference: ImageReference = parseImageReference(text, {
    requireDigest: true,
    allowCas: true,
  });
  if (reference.kind === "cas") return reference;
  if (reference.kind !== "registry" || reference.digest === undefined) {
    throw new StatusError(
      Code.InvalidArgument,
      "Image reference must name a registry and a digest",
    );
  }
  // The digest was checked; methods of the class need the object itself.
  return reference as RootReference;
}
