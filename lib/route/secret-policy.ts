import type { InstanceName } from "../digest/index.js";
import { compileWildcards } from "../image/index.js";
import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";

/** Throws PermissionDenied where an instance's actions may not name a secret. */
export type CheckSecret = (secret: string, instanceName: InstanceName) => void;

/**
 * Makes a check of patterns, in which "*" stands for any characters; without
 * one nothing is allowed. It looks at names alone: what there is, only workers
 * know. Throws InvalidArgument for a pattern that no name could match.
 */
export function createSecretPolicy(patterns: readonly string[]): CheckSecret {
  const matchers = patterns.map(compile);
  return (secret, instanceName) => {
    if (matchers.some((matches) => matches(secret))) return;
    throw new StatusError(
      Code.PermissionDenied,
      `Secret "${secret}" is not allowed for instance name "${instanceName}": the router's configuration lists what is, key "secrets" of the instance`,
    );
  };
}

function compile(pattern: string): (name: string) => boolean {
  if (/^[\w*-][\w.*-]*$/.test(pattern)) return compileWildcards(pattern);
  throw new StatusError(
    Code.InvalidArgument,
    `Pattern of secrets must be a name of letters, digits, ".", "_", "-" and "*": current value is ${quote(pattern)}`,
  );
}
