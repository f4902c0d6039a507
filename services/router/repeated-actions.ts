import { LRUCache } from "lru-cache";
import type { RouteActionRequest } from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";

/** Actions that are remembered, at about 200 bytes each. */
const maximumRemembered = 50_000;

/** Tells whether an action comes from the same invocation for a second time. */
export type IsRepeated = (request: RouteActionRequest) => boolean;

/**
 * Recognises actions that a client runs again: an invocation runs an action
 * once, unless the worker said that blobs were missing. What clients say of
 * themselves is believed for this alone, and costs at most a look into CAS.
 */
export function createRepeatedActions(): IsRepeated {
  const seen = new LRUCache<string, true>({ max: maximumRemembered });
  return ({ requestMetadata, action, instanceName }) => {
    const invocation = requestMetadata?.toolInvocationId ?? "";
    const command = action?.commandDigest?.hash;
    const inputRoot = action?.inputRootDigest?.hash;
    if (invocation === "" || command === undefined) return false;
    // Halves of hashes: enough not to meet by chance.
    const key = [
      invocation.slice(0, 64),
      instanceName,
      command.slice(0, 32),
      inputRoot?.slice(0, 32),
    ].join(" ");
    if (seen.has(key)) return true;
    seen.set(key, true);
    return false;
  };
}
