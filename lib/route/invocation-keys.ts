import { RequestMetadata } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Any } from "#proto/google/protobuf/any.js";

/** Fields of the request metadata that the scheduler can group by. */
export const invocationKeyFields = [
  "correlated_invocations_id",
  "tool_invocation_id",
] as const;

/** A field of the request metadata that the scheduler can group by. */
export type InvocationKeyField = (typeof invocationKeyFields)[number];

const typeUrl =
  "type.googleapis.com/build.bazel.remote.execution.v2.RequestMetadata";

/**
 * Groups for fair scheduling, the coarsest first, in the form that
 * Buildbarn's own key extractors make: request metadata with that one field.
 * Actions without metadata share the key of empty metadata, so there are as
 * many keys as fields, always.
 */
export function invocationKeysOf(
  metadata: RequestMetadata | undefined,
  fields: readonly InvocationKeyField[],
): Any[] {
  return fields.map((field) => ({
    typeUrl,
    value: Buffer.from(
      RequestMetadata.encode(
        RequestMetadata.fromPartial(
          field === "tool_invocation_id"
            ? { toolInvocationId: metadata?.toolInvocationId ?? "" }
            : {
                correlatedInvocationsId:
                  metadata?.correlatedInvocationsId ?? "",
              },
        ),
      ).finish(),
    ),
  }));
}
