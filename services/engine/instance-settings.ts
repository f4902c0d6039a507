import {
  type InstanceName,
  InstanceTable,
  parseInstanceName,
} from "../../lib/digest/index.js";
import { wrap } from "../../lib/status/index.js";
import type { EngineConfiguration } from "./configuration.js";

/** What may differ from one instance name to another. */
export interface InstanceSettings {
  /** How long an action goes on after its last client left. */
  readonly abandonAfterMs: number;
  /** Of standard output, and of standard error. */
  readonly maximumOutputBytes: number;
}

/** Both logs of an action must stay in CAS, and leave room for others. */
const partOfCas = 4;

/**
 * Gives a function that finds the settings of an instance name. Throws
 * InvalidArgument for a prefix that is none, or stands twice.
 */
export function createInstanceSettings(
  configuration: EngineConfiguration,
): (instanceName: InstanceName) => InstanceSettings {
  const { abandonAfter, maximumOutputSize, cas } = configuration;
  const mostBytes = Math.floor(cas.maximumSize / partOfCas);
  const common: InstanceSettings = {
    abandonAfterMs: abandonAfter,
    maximumOutputBytes: Math.min(maximumOutputSize, mostBytes),
  };
  const table = new InstanceTable(
    configuration.instances.map((instance) => ({
      prefix: parsePrefix(instance.prefix),
      abandonAfterMs: instance.abandonAfter ?? abandonAfter,
      maximumOutputBytes: Math.min(
        instance.maximumOutputSize ?? maximumOutputSize,
        mostBytes,
      ),
    })),
  );
  return (instanceName) => table.find(instanceName) ?? common;
}

function parsePrefix(prefix: string): InstanceName {
  try {
    return parseInstanceName(prefix);
  } catch (error) {
    throw wrap(error, `Failed to configure instance "${prefix}"`);
  }
}
