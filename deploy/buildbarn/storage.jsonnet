// One process that clients talk to: it stores blobs and results, and hands
// executions on to the scheduler. Farms that have a frontend and shards of
// their own change only `schedulers` there.
local common = import 'common.libsonnet';

// A ring of blocks in two files; sizes are for trying, not for a farm.
local localBackend(directory, mapSizeBytes, sizeBytes, newBlocks) = {
  'local': {
    keyLocationMapOnBlockDevice: {
      file: { path: directory + '/key_location_map', sizeBytes: mapSizeBytes },
    },
    keyLocationMapMaximumGetAttempts: 16,
    keyLocationMapMaximumPutAttempts: 64,
    oldBlocks: 8,
    currentBlocks: 24,
    newBlocks: newBlocks,
    blocksOnBlockDevice: {
      source: {
        file: { path: directory + '/blocks', sizeBytes: sizeBytes },
      },
      spareBlocks: 3,
    },
    persistent: {
      stateDirectoryPath: directory + '/persistent_state',
      minimumEpochInterval: '300s',
    },
  },
};

{
  grpcServers: [common.grpcServer(':8980')],
  schedulers: {
    '': {
      endpoint: {
        address: 'scheduler:8982',
        // Without this the scheduler knows nothing of who builds what: all
        // builds then share one invocation key, and the router's
        // metadata_rules never match.
        addMetadataJmespathExpression: {
          expression: '{"build.bazel.remote.execution.v2.requestmetadata-bin": incomingGRPCMetadata."build.bazel.remote.execution.v2.requestmetadata-bin"}',
        },
      },
    },
  },
  executeAuthorizer: common.everyone,

  // The router reads Commands from here and writes rewritten ones.
  contentAddressableStorage: {
    backend: localBackend('/storage/cas', 64 * 1024 * 1024, 8 * 1024 * 1024 * 1024, 3),
    getAuthorizer: common.everyone,
    putAuthorizer: common.everyone,
    findMissingAuthorizer: common.everyone,
  },
  actionCache: {
    backend: {
      // A result is a hit only while all of its outputs are still stored.
      completenessChecking: {
        backend: localBackend('/storage/ac', 1024 * 1024, 32 * 1024 * 1024, 1),
        maximumTotalTreeSizeBytes: 64 * 1024 * 1024,
      },
    },
    getAuthorizer: common.everyone,
    putAuthorizer: common.everyone,
  },

  maximumMessageSizeBytes: common.maximumMessageSizeBytes,
  global: common.global(':9980'),
}
