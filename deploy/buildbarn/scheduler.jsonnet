local common = import 'common.libsonnet';

{
  clientGrpcServers: [common.grpcServer(':8982')],
  workerGrpcServers: [common.grpcServer(':8983')],
  adminHttpServers: [{
    listenAddresses: [':7982'],
    authenticationPolicy: common.everyone,
  }],

  // The one setting that berth is about: every action is shown to berth's
  // router before it is queued. The former `simple` router's key extractors
  // are now the router's invocation_keys; timeouts stay here.
  actionRouter: {
    remote: {
      grpcClient: {
        // dns:/// and round_robin: one connection to each router behind the
        // name, so that replicas share the load and one may go away.
        address: 'dns:///router:8990',
        defaultServiceConfig: {
          loadBalancingConfig: [{ round_robin: {} }],
        },
      },
      initialSizeClassAnalyzer: {
        // Pulling an image counts as execution: see docs/buildbarn.md.
        defaultExecutionTimeout: '1800s',
        maximumExecutionTimeout: '7200s',
      },
    },
  },

  contentAddressableStorage: common.blobstore.contentAddressableStorage,
  browserUrl: common.browserUrl,
  maximumMessageSizeBytes: common.maximumMessageSizeBytes,
  global: common.global(':9982'),
  executeAuthorizer: common.everyone,
  modifyDrainsAuthorizer: common.everyone,
  killOperationsAuthorizer: common.everyone,
  synchronizeAuthorizer: common.everyone,
  platformQueueWithNoWorkersTimeout: '900s',
}
