import type { Digest, InstanceName } from "../digest/index.js";

/** On whose behalf the store is used. */
export interface CasContext {
  /** The part of the store; parts of one store may share blobs. */
  readonly instanceName: InstanceName;
  /** Ends the wait with Cancelled, or with its reason if that is a status. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Blobs by their digest (REAPI, ContentAddressableStorage). Every
 * implementation verifies what it takes in; what comes from a peer is
 * verified when it is read as well, so callers never see wrong bytes. All
 * methods may be called concurrently.
 *
 * Errors: NotFound for a blob that is not held; DataLoss for bytes that are
 * not their digest's; ResourceExhausted for a blob beyond a limit;
 * Unavailable when a peer is away.
 */
export interface ContentAddressableStorage {
  /**
   * Those of the digests whose blobs are not held, each once, in the order
   * given; what is held counts as used now. The empty blob is never missing.
   */
  findMissing(
    digests: readonly Digest[],
    context: CasContext,
  ): Promise<readonly Digest[]>;
  /**
   * A whole blob in memory, for small ones: Directories, Commands. Throws
   * ResourceExhausted above maximumReadSizeBytes. The bytes may be shared
   * with other readers: never change them.
   */
  read(digest: Digest, context: CasContext): Promise<Buffer>;
  /**
   * A blob of any size, in pieces. It is verified: when the bytes are wrong
   * the stream throws before it ends, so nothing may be made visible before
   * the end. Leaving the loop early is allowed.
   */
  open(digest: Digest, context: CasContext): AsyncIterable<Uint8Array>;
  /**
   * Stores a small blob; does nothing if it is held. Idempotent. `known` is
   * the digest, where the caller has just made it of these very bytes: they
   * are then not hashed again.
   */
  write(data: Uint8Array, context: CasContext, known?: Digest): Promise<Digest>;
  /**
   * Stores a blob of any size. `openSource` is called again when an attempt
   * failed, and not at all if the blob is held already. Nothing is visible
   * before all of it arrived and was verified.
   */
  writeStream(
    digest: Digest,
    openSource: () => AsyncIterable<Uint8Array>,
    context: CasContext,
  ): Promise<void>;
}

/** Most bytes that read() gives: what a Directory of a million files needs. */
export const maximumReadSizeBytes: number = 128 * 2 ** 20;
