import { POSIXResourceUsage } from "#proto/buildbarn/resourceusage/resourceusage.js";
import type { Any } from "#proto/google/protobuf/any.js";
import type { Duration } from "#proto/google/protobuf/duration.js";
import { encodeMessage } from "../../../lib/grpc/index.js";
import type { ProgramUsage } from "./program-runner.js";

/** What a program used, the way that Buildbarn's workers say it. */
export function packUsage(usage: ProgramUsage): Any {
  const message = POSIXResourceUsage.fromPartial({
    userTime: durationOf(usage.userMicros),
    systemTime: durationOf(usage.systemMicros),
    maximumResidentSetSize: usage.maximumResidentBytes,
  });
  return {
    typeUrl: "type.googleapis.com/buildbarn.resourceusage.POSIXResourceUsage",
    value: encodeMessage(POSIXResourceUsage, message),
  };
}

function durationOf(micros: number): Duration {
  const seconds = Math.floor(micros / 1e6);
  return { seconds, nanos: (micros % 1e6) * 1_000 };
}
