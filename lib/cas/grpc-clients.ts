import { makeGenericClientConstructor } from "@grpc/grpc-js";
import {
  CapabilitiesClient,
  type ContentAddressableStorageClient,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { ByteStreamClient } from "#proto/google/bytestream/bytestream.js";
import {
  channelCredentials,
  channelOptions,
  type GrpcTls,
} from "../grpc/index.js";
import {
  byteStreamServiceDefinition,
  casServiceDefinition,
} from "./blob-messages.js";

/** The clients that a CAS on the wire needs; they share one connection. */
export interface GrpcCasClients {
  readonly cas: ContentAddressableStorageClient;
  readonly byteStream: ByteStreamClient;
  readonly capabilities: CapabilitiesClient;
  /** Ends the connection. */
  close(): void;
}

// The generated classes are made in the same way, of other definitions.
const CasClient = makeGenericClientConstructor(
  casServiceDefinition,
  "ContentAddressableStorage",
) as unknown as typeof ContentAddressableStorageClient;
const StreamClient = makeGenericClientConstructor(
  byteStreamServiceDefinition,
  "ByteStream",
) as unknown as typeof ByteStreamClient;

/** Clients of the server at "host:port" or "unix:/path"; connects lazily. */
export function createGrpcCasClients(options: {
  address: string;
  tls?: GrpcTls;
}): GrpcCasClients {
  const credentials = channelCredentials(options.tls);
  const settings = channelOptions({});
  const { address } = options;
  const clients = {
    cas: new CasClient(address, credentials, settings),
    byteStream: new StreamClient(address, credentials, settings),
    capabilities: new CapabilitiesClient(address, credentials, settings),
  };
  return {
    ...clients,
    close: () => {
      for (const client of Object.values(clients)) client.close();
    },
  };
}
