import { ActionCacheClient } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  channelCredentials,
  channelOptions,
  type GrpcTls,
} from "../grpc/index.js";
import { GrpcActionCache } from "./grpc-action-cache.js";

/** The action cache at "host:port" or "unix:/path"; connects lazily. */
export function createGrpcActionCache(options: {
  readonly address: string;
  readonly tls?: GrpcTls;
}): { readonly actionCache: GrpcActionCache; close(): void } {
  const client = new ActionCacheClient(
    options.address,
    channelCredentials(options.tls),
    channelOptions({}),
  );
  return {
    actionCache: new GrpcActionCache(client),
    close: () => client.close(),
  };
}
