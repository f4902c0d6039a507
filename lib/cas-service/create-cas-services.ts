import type { ContentAddressableStorage } from "../cas/index.js";
import type { ErrorSink, GrpcService } from "../grpc/index.js";
import {
  type ByteStreamReading,
  createByteStreamService,
} from "./byte-stream-service.js";
import { createCapabilitiesService } from "./capabilities-service.js";
import { createContentAddressableStorageService } from "./content-addressable-storage-service.js";
import { defaultUploadIdleMs } from "./idle-deadline.js";

/** Batches of this size fit a message of gRPC's default limit. */
export const defaultMaximumBatchBytes: number = 4 * 2 ** 20 - 65_536;

/**
 * The three services that make a store on the wire: Capabilities, CAS and
 * ByteStream.
 */
export function createCasServices(
  options: ByteStreamReading & {
    cas: ContentAddressableStorage;
    /** Default: 4 MiB less room for digests. */
    maximumBatchBytes?: number;
    /** Said in the capabilities; default: no. */
    actionCacheUpdates?: boolean;
    /** Said in the capabilities; default: no. */
    execution?: boolean;
    /** Longest silence of an upload; default: one minute. */
    uploadIdleMs?: number;
    sink: ErrorSink;
  },
): readonly GrpcService[] {
  const { cas, sink } = options;
  const maximumBatchBytes =
    options.maximumBatchBytes ?? defaultMaximumBatchBytes;
  return [
    createCapabilitiesService({
      maximumBatchBytes,
      actionCacheUpdates: options.actionCacheUpdates ?? false,
      execution: options.execution ?? false,
      sink,
    }),
    createContentAddressableStorageService({ cas, maximumBatchBytes, sink }),
    createByteStreamService({
      ...options,
      uploadIdleMs: options.uploadIdleMs ?? defaultUploadIdleMs,
    }),
  ];
}
