import {
  CapabilitiesService,
  Compressor_Value,
  DigestFunction_Value,
  type ExecutionCapabilities,
  type GetCapabilitiesRequest,
  ServerCapabilities,
  SymlinkAbsolutePathStrategy_Value,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { parseInstanceName } from "../digest/index.js";
import {
  type ErrorSink,
  type GrpcService,
  implementUnary,
} from "../grpc/index.js";

/** What a server says of itself. */
export interface CapabilitiesOptions {
  /** Bound of a batch, in bytes. */
  maximumBatchBytes: number;
  /** Whether clients may write action results. */
  actionCacheUpdates: boolean;
  /** Whether the server executes actions. */
  execution: boolean;
  sink: ErrorSink;
}

/** The Capabilities service: REAPI 2.0 to 2.12, SHA-256, no compression. */
export function createCapabilitiesService(
  options: CapabilitiesOptions,
): GrpcService {
  const capabilities = describe(options);
  return {
    definition: CapabilitiesService,
    implementation: {
      getCapabilities: implementUnary(
        async (request: GetCapabilitiesRequest) => {
          parseInstanceName(request.instanceName);
          return capabilities;
        },
        options.sink,
      ),
    },
  };
}

const digestFunctions = [DigestFunction_Value.SHA256];

function describe(options: CapabilitiesOptions): ServerCapabilities {
  const execution: ExecutionCapabilities = {
    digestFunction: DigestFunction_Value.SHA256,
    execEnabled: true,
    executionPriorityCapabilities: undefined,
    supportedNodeProperties: [],
    digestFunctions,
  };
  return ServerCapabilities.fromPartial({
    cacheCapabilities: {
      digestFunctions,
      actionCacheUpdateCapabilities: {
        updateEnabled: options.actionCacheUpdates,
      },
      maxBatchTotalSizeBytes: options.maximumBatchBytes,
      symlinkAbsolutePathStrategy: SymlinkAbsolutePathStrategy_Value.ALLOWED,
      supportedCompressors: [Compressor_Value.IDENTITY],
      supportedBatchUpdateCompressors: [Compressor_Value.IDENTITY],
    },
    executionCapabilities: options.execution ? execution : undefined,
    lowApiVersion: { major: 2, minor: 0 },
    highApiVersion: { major: 2, minor: 12 },
  });
}
