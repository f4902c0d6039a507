import {
  CapabilitiesClient,
  ContentAddressableStorageClient,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { ByteStreamClient } from "#proto/google/bytestream/bytestream.js";
import {
  channelCredentials,
  channelOptions,
  type GrpcTls,
} from "../grpc/index.js";

/** The clients that a CAS on the wire needs; they share one connection. */
export interface GrpcCasClients {
  readonly cas: ContentAddressableStorageClient;
  readonly byteStream: ByteStreamClient;
  readonly capabilities: CapabilitiesClient;
  /** Ends the connection. */
  close(): void;
}

/** Clients of the server at "host:port" or "unix:/path"; connects lazily. */
export function createGrpcCasClients(options: {
  address: string;
  tls?: GrpcTls;
}): GrpcCasClients {
  const credentials = channelCredentials(options.tls);
  const settings = channelOptions({});
  const { address } = options;
  const clients = {
    cas: new ContentAddressableStorageClient(address, credentials, settings),
    byteStream: new ByteStreamClient(address, credentials, settings),
    capabilities: new CapabilitiesClient(address, credentials, settings),
  };
  return {
    ...clients,
    close: () => {
      for (const client of Object.values(clients)) client.close();
    },
  };
}
