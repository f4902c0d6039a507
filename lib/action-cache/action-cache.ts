import type { ActionResult } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext } from "../cas/index.js";
import type { Digest } from "../digest/index.js";

/**
 * Results by the digest of their action (REAPI, ActionCache). Unlike CAS
 * nothing here can be verified: a result is what a writer claimed, and
 * instance names are kept apart.
 */
export interface ActionCache {
  /**
   * The result, or undefined when there is none. That its blobs are still in
   * CAS is not promised. Never change what it gives.
   */
  get(action: Digest, context: CasContext): Promise<ActionResult | undefined>;
  /**
   * Stores a result, in the place of an older one. Throws PermissionDenied or
   * Unimplemented when the caller may not.
   */
  put(action: Digest, result: ActionResult, context: CasContext): Promise<void>;
}
