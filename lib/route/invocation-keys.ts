import { LRUCache } from "lru-cache";
import { RequestMetadata } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Any } from "#proto/google/protobuf/any.js";
import { encodeMessage } from "../grpc/index.js";

/** Fields of the request metadata that the scheduler can group by. */
export const invocationKeyFields = [
  "correlated_invocations_id",
  "tool_invocation_id",
] as const;

/** A field of the request metadata that the scheduler can group by. */
export type InvocationKeyField = (typeof invocationKeyFields)[number];

const typeUrl =
  "type.googleapis.com/build.bazel.remote.execution.v2.RequestMetadata";

/** Makes the invocation keys of requests. */
export type InvocationKeys = (metadata: RequestMetadata | undefined) => Any[];

/** Invocations whose keys are remembered: far more than run at a time. */
const maximumRemembered = 1_000;

/**
 * Groups for fair scheduling, the coarsest first, in the form that
 * Buildbarn's own key extractors make: request metadata with that one field.
 * Actions without metadata share the key of empty metadata, so there are as
 * many keys as fields, always.
 */
export function createInvocationKeys(
  fields: readonly InvocationKeyField[],
): InvocationKeys {
  const remembered = new LRUCache<string, Any>({ max: maximumRemembered });
  return (metadata) =>
    fields.map((field) => {
      const id =
        (field === "tool_invocation_id"
          ? metadata?.toolInvocationId
          : metadata?.correlatedInvocationsId) ?? "";
      const known = remembered.get(`${field} ${id}`);
      if (known !== undefined) return known;
      const made = { typeUrl, value: encode(field, id) };
      remembered.set(`${field} ${id}`, made);
      return made;
    });
}

function encode(field: InvocationKeyField, id: string): Buffer {
  const metadata = RequestMetadata.fromPartial(
    field === "tool_invocation_id"
      ? { toolInvocationId: id }
      : { correlatedInvocationsId: id },
  );
  return encodeMessage(RequestMetadata, metadata);
}
