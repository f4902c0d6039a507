// What the programs of this farm share. Host names are those of the services
// in compose.yaml and in kubernetes/.
{
  // Every service name resolves in both deployments.
  storage: { grpc: { client: { address: 'storage:8980' } } },

  blobstore: {
    contentAddressableStorage: $.storage,
    actionCache: $.storage,
  },

  // The router's limits.message_size must not be smaller.
  maximumMessageSizeBytes: 2 * 1024 * 1024,

  // Links in Bazel's output; nothing here needs the browser to be there.
  browserUrl: 'http://localhost:7984',

  everyone: { allow: {} },

  grpcServer(address): {
    listenAddresses: [address],
    authenticationPolicy: $.everyone,
  },

  global(diagnosticsAddress): {
    diagnosticsHttpServer: {
      httpServers: [{
        listenAddresses: [diagnosticsAddress],
        authenticationPolicy: $.everyone,
      }],
      enablePrometheus: true,
    },
  },
}
