import { POSIXResourceUsage } from "#proto/buildbarn/resourceusage/resourceusage.js";
import type { Any } from "#proto/google/protobuf/any.js";
import type { Duration } from "#proto/google/protobuf/duration.js";
import type { StepResult } from "../model/step.js";

const typeUrl =
  "type.googleapis.com/buildbarn.resourceusage.POSIXResourceUsage";

/**
 * What an action used, where its worker says it the way that Buildbarn's do;
 * undefined otherwise.
 */
export function resourcesOf(
  auxiliaryMetadata: readonly Any[],
): StepResult["resources"] {
  const found = auxiliaryMetadata.find((any) => any.typeUrl === typeUrl);
  if (found === undefined) return undefined;
  try {
    const usage = POSIXResourceUsage.decode(found.value);
    return {
      userTimeMs: msOf(usage.userTime),
      systemTimeMs: msOf(usage.systemTime),
      maximumResidentBytes: usage.maximumResidentSetSize,
    };
  } catch {
    return undefined; // figures for people: no reason to fail a step
  }
}

function msOf(duration: Duration | undefined): number {
  if (duration === undefined) return 0;
  return duration.seconds * 1_000 + duration.nanos / 1e6;
}
