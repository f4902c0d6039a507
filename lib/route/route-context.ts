import type { InstanceName } from "../digest/index.js";

/** What an operation knows of its caller. Nothing of it may show in the answer. */
export interface RouteContext {
  readonly instanceName: InstanceName;
  /**
   * Aborted when the caller gives up. To be asked for by what waits only: most
   * actions need nothing but what is known, and end without one.
   */
  readonly signal: AbortSignal;
  /**
   * Whether this looks like another attempt at an action that ran, which is
   * what clients do when a worker found blobs missing in CAS.
   */
  readonly suspectsEviction: boolean;
}
