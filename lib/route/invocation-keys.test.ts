import { expect, test } from "@jest/globals";
import { RequestMetadata } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { createInvocationKeys } from "./index.js";

const fields = ["correlated_invocations_id", "tool_invocation_id"] as const;

test("createInvocationKeys() gives one field of the metadata a key", () => {
  const keys = createInvocationKeys(fields)(
    RequestMetadata.fromPartial({
      toolInvocationId: "tool",
      correlatedInvocationsId: "build",
      actionMnemonic: "Genrule",
    }),
  );
  expect(keys.map(({ typeUrl }) => typeUrl)).toEqual([
    "type.googleapis.com/build.bazel.remote.execution.v2.RequestMetadata",
    "type.googleapis.com/build.bazel.remote.execution.v2.RequestMetadata",
  ]);
  // Field 4, length 5; field 3, length 4 (REAPI, RequestMetadata).
  expect(
    keys.map(({ value }) => Buffer.from(value).toString("latin1")),
  ).toEqual(["\x22\x05build", "\x1a\x04tool"]);
});

test("createInvocationKeys() gives actions without metadata as many keys", () => {
  const keys = createInvocationKeys(fields);
  expect(keys(undefined)).toEqual(keys(RequestMetadata.fromPartial({})));
  expect(keys(undefined).map(({ value }) => value.length)).toEqual([0, 0]);
});

test("createInvocationKeys() never mixes the fields' values", () => {
  const keys = createInvocationKeys(fields);
  const same = RequestMetadata.fromPartial({
    toolInvocationId: "x",
    correlatedInvocationsId: "x",
  });
  const [build, tool] = keys(same);
  expect(build).not.toEqual(tool);
  expect(keys(same)).toEqual([build, tool]);
});
