import type { Metadata } from "@grpc/grpc-js";
import {
  type ExecuteRequest,
  ExecuteResponse,
  ExecutionService,
  RequestMetadata,
  type WaitExecutionRequest,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  type CancelOperationRequest,
  type GetOperationRequest,
  type Operation as OperationMessage,
  OperationsService,
} from "#proto/google/longrunning/operations.js";
import type { ContentAddressableStorage } from "../../lib/cas/index.js";
import {
  checkDigestFunction,
  Digest,
  parseInstanceName,
} from "../../lib/digest/index.js";
import {
  type CallContext,
  type ErrorSink,
  encodeMessage,
  type GrpcService,
  implementServerStream,
  implementUnary,
} from "../../lib/grpc/index.js";
import { Code, StatusError } from "../../lib/status/index.js";
import { withInlineContents } from "./inline-contents.js";
import type { Operation } from "./scheduling/operation.js";
import type { Scheduler } from "./scheduling/scheduler.js";

/** The header in which clients say what they build (REAPI, RequestMetadata). */
const requestMetadataHeader =
  "build.bazel.remote.execution.v2.requestmetadata-bin";

/** What the face needs. */
export interface ExecutionServiceOptions {
  readonly scheduler: Scheduler;
  readonly cas: ContentAddressableStorage;
  readonly sink: ErrorSink;
}

/** The Execution service and the Operations service. */
export function createExecutionServices(
  options: ExecutionServiceOptions,
): readonly GrpcService[] {
  const { scheduler, sink } = options;
  return [
    {
      definition: ExecutionService,
      implementation: {
        execute: implementServerStream(
          (request: ExecuteRequest, call: CallContext) =>
            execute(options, request, call),
          sink,
        ),
        waitExecution: implementServerStream(
          (request: WaitExecutionRequest, call: CallContext) =>
            need(scheduler, request.name).watch(call.signal),
          sink,
        ),
      },
    },
    {
      definition: OperationsService,
      implementation: {
        getOperation: implementUnary(
          async (request: GetOperationRequest) =>
            need(scheduler, request.name).toProto(),
          sink,
        ),
        cancelOperation: implementUnary(
          async (request: CancelOperationRequest) => {
            need(scheduler, request.name).cancel();
            return {};
          },
          sink,
        ),
      },
    },
  ];
}

async function* execute(
  { scheduler, cas }: ExecutionServiceOptions,
  request: ExecuteRequest,
  { signal, metadata }: CallContext,
): AsyncGenerator<OperationMessage> {
  checkDigestFunction(request.digestFunction);
  const instanceName = parseInstanceName(request.instanceName);
  const operation = await scheduler.schedule({
    instanceName,
    actionDigest: Digest.fromProto(request.actionDigest, "action_digest"),
    skipCacheLookup: request.skipCacheLookup,
    requestMetadata: requestMetadataOf(metadata),
    signal,
  });
  for await (const message of operation.watch(signal)) {
    const context = { instanceName, signal };
    yield message.done
      ? await withInlines(message, request, { cas, context })
      : message;
  }
}

async function withInlines(
  message: OperationMessage,
  request: ExecuteRequest,
  scope: Parameters<typeof withInlineContents>[2],
): Promise<OperationMessage> {
  const { inlineStdout, inlineStderr, inlineOutputFiles } = request;
  const { response } = message;
  if (
    response === undefined ||
    !(inlineStdout || inlineStderr || inlineOutputFiles.length > 0)
  ) {
    return message;
  }
  const decoded = ExecuteResponse.decode(response.value);
  if (decoded.result === undefined) return message;
  decoded.result = await withInlineContents(decoded.result, request, scope);
  const value = encodeMessage(ExecuteResponse, decoded);
  return { ...message, response: { ...response, value } };
}

function need(scheduler: Scheduler, name: string): Operation {
  const operation = scheduler.find(name);
  if (operation !== undefined) return operation;
  throw new StatusError(
    Code.NotFound,
    `Operation ${JSON.stringify(name.slice(0, 100))} not found: it ended long ago, or never was`,
  );
}

function requestMetadataOf(metadata: Metadata): RequestMetadata | undefined {
  const [header] = metadata.get(requestMetadataHeader);
  if (!Buffer.isBuffer(header)) return undefined;
  try {
    return RequestMetadata.decode(header);
  } catch {
    return undefined; // it is for fairness and logs only: never a reason to fail
  }
}
