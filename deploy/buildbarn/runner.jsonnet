local common = import 'common.libsonnet';

{
  buildDirectoryPath: '/worker/build',
  grpcServers: [{
    listenPaths: ['/worker/runner'],
    authenticationPolicy: common.everyone,
  }],
  // No work is taken before the helper and the root fetcher are there.
  readinessCheckingPathnames: [
    '/berth/bin/berth-exec',
    '/berth/run/root-fetcher.sock',
  ],
  global: common.global(':9987') { setUmask: { umask: 0 } },
}
