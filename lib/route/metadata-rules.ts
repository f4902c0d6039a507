import type {
  Action,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code, StatusError } from "../status/index.js";
import { platformOf } from "./platform-properties.js";

/**
 * What a client says of itself, as far as rules may ask for it. Identifiers
 * of invocations are left out: a rule on one would hold for a single build.
 */
export interface MetadataPattern {
  /** Exact text, or a prefix where it ends in "*"; all given ones must match. */
  readonly toolName?: string | undefined;
  readonly actionMnemonic?: string | undefined;
  readonly targetId?: string | undefined;
}

/**
 * What may depend on the request's metadata: the queue, whether the result is
 * cached, and refusal. The Command never does, since the action cache knows
 * nothing of metadata.
 */
export interface MetadataRule {
  readonly when: MetadataPattern;
  /** Platform properties, in the place of all of the same name. */
  readonly setProperties: ReadonlyMap<string, string>;
  /** Never turned off: it may have been set for good reason. */
  readonly doNotCache: boolean;
  /** Why such actions are refused; undefined: they are not. */
  readonly refusal: string | undefined;
}

/**
 * Applies every rule that matches, in order. Clients choose their metadata,
 * so rules are for order, not for protection. Throws PermissionDenied for a
 * refusal.
 */
export function applyMetadataRules(
  action: Action,
  metadata: RequestMetadata | undefined,
  rules: readonly MetadataRule[],
): Action {
  let result = action;
  for (const rule of rules) {
    if (!isMatch(rule.when, metadata)) continue;
    if (rule.refusal !== undefined) {
      throw new StatusError(Code.PermissionDenied, rule.refusal);
    }
    if (rule.doNotCache) result = { ...result, doNotCache: true };
    if (rule.setProperties.size > 0) result = setProperties(result, rule);
  }
  return result;
}

function isMatch(
  pattern: MetadataPattern,
  metadata: RequestMetadata | undefined,
): boolean {
  return (
    isTextMatch(pattern.toolName, metadata?.toolDetails?.toolName) &&
    isTextMatch(pattern.actionMnemonic, metadata?.actionMnemonic) &&
    isTextMatch(pattern.targetId, metadata?.targetId)
  );
}

function isTextMatch(pattern: string | undefined, text = ""): boolean {
  if (pattern === undefined) return true;
  if (pattern.endsWith("*")) return text.startsWith(pattern.slice(0, -1));
  return text === pattern;
}

function setProperties(action: Action, rule: MetadataRule): Action {
  const kept = (action.platform?.properties ?? []).filter(
    ({ name }) => !rule.setProperties.has(name),
  );
  const set = [...rule.setProperties].map(([name, value]) => ({ name, value }));
  return {
    ...action,
    platform: platformOf(action.platform, [...kept, ...set]),
  };
}
