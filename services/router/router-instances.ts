import { type InstanceName, InstanceTable } from "../../lib/digest/index.js";
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
 * Looks up by the longest prefix. Throws InvalidArgument for two instances of
 * one prefix, and, when looking up, for a name that nobody serves.
 */
export function createInstanceLookup(
  instances: readonly RouterInstance[],
): FindInstance {
  const table = new InstanceTable(instances);
  return (instanceName) => {
    const found = table.find(instanceName);
    if (found !== undefined) return found;
    throw new StatusError(
      Code.InvalidArgument,
      `Instance name must be one that the router serves: current value is "${instanceName}"`,
    );
  };
}
