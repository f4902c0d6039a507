import { Metadata } from "@grpc/grpc-js";
import { RequestMetadata } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { encodeMessage } from "../../../lib/grpc/index.js";
import type { Job } from "../model/job.js";
import type { Step } from "../model/step.js";
import { spanOfStep } from "./trace-ids.js";

/** The header in which clients say what they run (REAPI, RequestMetadata). */
const header = "build.bazel.remote.execution.v2.requestmetadata-bin";

/**
 * Headers of a step's calls: whose action it is, so that a scheduler can be
 * fair between jobs, and the span that what follows belongs to (W3C Trace
 * Context, traceparent).
 */
export function actionMetadataOf(job: Job, step: Step): Metadata {
  const metadata = new Metadata();
  const run = job.pastRuns.length + 1;
  const message = RequestMetadata.fromPartial({
    toolDetails: { toolName: "berth-workflow" },
    toolInvocationId: `${job.id}/${run}`,
    correlatedInvocationsId: job.id,
    actionMnemonic: "BerthStep",
    targetId: step.specification.name,
  });
  metadata.set(header, encodeMessage(RequestMetadata, message));
  const { traceId, spanId } = spanOfStep(job, step.specification.name);
  metadata.set("traceparent", `00-${traceId}-${spanId}-01`);
  return metadata;
}
