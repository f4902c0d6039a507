import type { InstanceName } from "../../lib/digest/index.js";
import type { BlobWriter, RoutePipeline } from "../../lib/route/index.js";
import { Code, StatusError } from "../../lib/status/index.js";

/** What serves the instance names beneath one prefix. */
export interface RouterInstance {
  readonly prefix: InstanceName;
  readonly pipeline: RoutePipeline;
  readonly blobs: BlobWriter;
}

/** Finds the instance of a request. */
export type FindInstance = (instanceName: InstanceName) => RouterInstance;

/**
 * Looks up by the longest prefix, in whole components: "a" serves "a/b", not
 * "ab". Throws InvalidArgument for two instances of one prefix, and, when
 * looking up, for a name that nobody serves.
 */
export function createInstanceLookup(
  instances: readonly RouterInstance[],
): FindInstance {
  const byLength = [...instances].sort(
    (a, b) => b.prefix.length - a.prefix.length,
  );
  const prefixes = instances.map(({ prefix }) => prefix);
  const twice = prefixes.find((prefix, at) => prefixes.indexOf(prefix) < at);
  if (twice !== undefined) {
    throw new StatusError(
      Code.InvalidArgument,
      `Instance prefix must be unique: current value is "${twice}"`,
    );
  }
  return (instanceName) => {
    const found = byLength.find(
      ({ prefix }) =>
        prefix === "" ||
        instanceName === prefix ||
        instanceName.startsWith(`${prefix}/`),
    );
    if (found !== undefined) return found;
    throw new StatusError(
      Code.InvalidArgument,
      `Instance name must be one that the router serves: current value is "${instanceName}"`,
    );
  };
}
