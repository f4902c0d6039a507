/** What an operation knows of its caller: only whether it still waits. */
export interface RouteContext {
  /** Aborted when the caller gives up. */
  readonly signal: AbortSignal;
}
