local common = import 'common.libsonnet';

{
  blobstore: common.blobstore,
  browserUrl: common.browserUrl,
  maximumMessageSizeBytes: common.maximumMessageSizeBytes,
  scheduler: { address: 'scheduler:8983' },
  // Directories of the build directory are written by worker and actions,
  // which are different users.
  global: common.global(':9986') { setUmask: { umask: 0 } },

  buildDirectories: [{
    native: {
      // The same path in worker and runner, and build_directory of exec.toml.
      buildDirectoryPath: '/worker/build',
      cacheDirectoryPath: '/worker/cache',
      maximumCacheFileCount: 10000,
      maximumCacheSizeBytes: 1024 * 1024 * 1024,
      cacheReplacementPolicy: 'LEAST_RECENTLY_USED',
    },
    runners: [{
      endpoint: { address: 'unix:///worker/runner' },
      concurrency: 4,
      // No container-image here: the router takes it off, so that workers
      // are shared by all images.
      platform: { properties: [{ name: 'OSFamily', value: 'linux' }] },
      workerId: { pool: 'berth' },
    }],
  }],
  inputDownloadConcurrency: 10,
  outputUploadConcurrency: 11,
  directoryCache: {
    maximumCount: 1000,
    maximumSizeBytes: 1000 * 1024,
    cacheReplacementPolicy: 'LEAST_RECENTLY_USED',
  },
}
