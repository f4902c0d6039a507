import { type InstanceName, parseInstanceName } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { isPlainName, parseImagePattern } from "./image-pattern.js";
import type { ImageReference } from "./image-reference.js";
import { LayoutReference } from "./layout-reference.js";

/** What the clients of some instance names may use. */
export interface ImagePolicyRule {
  /** Whole components of instance names; "" stands for all of them. */
  readonly instanceNamePrefix: string;
  /** Images in registries; see parseImagePattern. */
  readonly images: readonly string[];
  /** Directories that layouts may lie beneath; default none. */
  readonly layoutDirectories?: readonly string[];
  /** Whether trees in CAS may be named; default false. */
  readonly allowCas?: boolean;
}

/**
 * Says which images an instance name's clients may use. It is asked on every
 * request before anything is sent anywhere, and before any cache: requests do
 * not carry an identity, so the instance name is all that tells tenants apart.
 */
export interface ImagePolicy {
  /** Throws PermissionDenied; the same whether there is such an image or not. */
  check(instanceName: InstanceName, reference: ImageReference): void;
}

/** How many patterns an error lists. */
const maximumListed = 8;

/**
 * Makes a policy of rules. Of the rules whose prefix fits an instance name
 * the longest alone counts; where none fits, nothing is allowed. Throws
 * InvalidArgument for a malformed rule, or two with one prefix.
 */
export function createImagePolicy(
  rules: readonly ImagePolicyRule[],
): ImagePolicy {
  const byPrefix = new Map<string, CompiledRule>();
  for (const rule of rules) {
    const prefix = parseInstanceName(rule.instanceNamePrefix);
    if (byPrefix.has(prefix)) {
      throw new StatusError(
        Code.InvalidArgument,
        `Image policy has two rules for instance name prefix "${prefix}"`,
      );
    }
    byPrefix.set(prefix, compile(rule));
  }
  return {
    check: (instanceName, reference) => {
      const rule = findRule(byPrefix, instanceName);
      if (rule?.allows(reference) === true) return;
      throw new StatusError(
        Code.PermissionDenied,
        `Image "${reference}" is not allowed for instance name "${instanceName}": ${explain(rule, reference)}`,
      );
    },
  };
}

interface CompiledRule {
  readonly patterns: readonly string[];
  allows(reference: ImageReference): boolean;
}

function compile(rule: ImagePolicyRule): CompiledRule {
  const patterns = rule.images.map(parseImagePattern);
  const directories = (rule.layoutDirectories ?? []).map(
    (directory) => LayoutReference.parse(directory).path,
  );
  return {
    patterns: rule.images,
    allows: (reference) => {
      switch (reference.kind) {
        case "registry":
          return patterns.some((pattern) => pattern.matches(reference));
        case "layout":
          return directories.some((directory) =>
            `${reference.path}/`.startsWith(`${directory}/`),
          );
        case "cas":
          return rule.allowCas === true;
      }
    },
  };
}

function findRule(
  rules: ReadonlyMap<string, CompiledRule>,
  instanceName: string,
): CompiledRule | undefined {
  let prefix = instanceName;
  while (prefix !== "" && !rules.has(prefix)) {
    prefix = prefix.slice(0, Math.max(prefix.lastIndexOf("/"), 0));
  }
  return rules.get(prefix);
}

function explain(
  rule: CompiledRule | undefined,
  reference: ImageReference,
): string {
  if (rule === undefined) return "the image policy has no rule for it";
  if (rule.patterns.length === 0) return "no registry is allowed";
  const listed = rule.patterns
    .slice(0, maximumListed)
    .map((pattern) => `"${pattern}"`)
    .join(", ");
  const more = rule.patterns.length - maximumListed;
  const andMore = more > 0 ? ` and ${more} more` : "";
  const hint =
    reference.kind === "registry" && !isPlainName(reference.registry)
      ? " (wildcards leave out addresses and names without a dot: write this host out)"
      : "";
  return `allowed are ${listed}${andMore}${hint}`;
}
