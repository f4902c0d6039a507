import type { Metadata } from "@grpc/grpc-js";
import {
  DigestFunction_Value,
  ExecuteOperationMetadata,
  ExecuteResponse,
  ExecutionClient,
  type ExecutionStage_Value,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Digest, InstanceName } from "../../../lib/digest/index.js";
import {
  callServerStream,
  channelCredentials,
  channelOptions,
  statusFromProto,
} from "../../../lib/grpc/index.js";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";

/**
 * Runs an action that is in CAS with its inputs, and waits for its end.
 * Throws what the call fails with; the answer's status, such as that the
 * time was up, is beside the result that there is so far.
 */
export async function executeAction(options: {
  /** "host:port" of a server that has the Execution service. */
  address: string;
  instanceName: InstanceName;
  actionDigest: Digest;
  skipCacheLookup: boolean;
  metadata: Metadata;
  signal: AbortSignal;
  /** Told whenever the stage changes. */
  onStage: (stage: ExecutionStage_Value) => void;
}): Promise<ExecuteResponse> {
  const client = new ExecutionClient(
    options.address,
    channelCredentials(),
    channelOptions({}),
  );
  try {
    const operations = callServerStream(
      client.execute.bind(client),
      {
        instanceName: options.instanceName,
        skipCacheLookup: options.skipCacheLookup,
        actionDigest: options.actionDigest.toProto(),
        executionPolicy: undefined,
        resultsCachePolicy: undefined,
        digestFunction: DigestFunction_Value.SHA256,
        inlineStdout: true,
        inlineStderr: true,
        inlineOutputFiles: [],
      },
      { metadata: options.metadata, signal: options.signal },
    );
    for await (const { metadata, done, error, response } of operations) {
      if (metadata !== undefined) {
        options.onStage(ExecuteOperationMetadata.decode(metadata.value).stage);
      }
      if (!done) continue;
      if (error !== undefined) throw statusFromProto(error);
      if (response === undefined) break;
      return ExecuteResponse.decode(response.value);
    }
  } catch (error) {
    throw wrap(error, "Failed to run the action");
  } finally {
    client.close();
  }
  throw new StatusError(
    Code.Internal,
    `The engine at "${options.address}" ended the stream without a result`,
  );
}
