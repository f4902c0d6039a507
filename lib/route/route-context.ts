/** What an operation knows of its caller. Nothing of it may show in the answer. */
export interface RouteContext {
  /** Aborted when the caller gives up. */
  readonly signal: AbortSignal;
  /**
   * Whether this looks like another attempt at an action that ran, which is
   * what clients do when a worker found blobs missing in CAS.
   */
  readonly isRetry?: boolean;
}
