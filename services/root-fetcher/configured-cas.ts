import {
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../lib/cas/index.js";
import { readTls } from "../../lib/grpc/index.js";
import { readTreeImage } from "../../lib/root-store/index.js";
import { wrap } from "../../lib/status/index.js";
import type { RootFetcherConfiguration } from "./configuration.js";
import type { RootFetcherOptions } from "./root-fetcher.js";

/** Where trees are read from. */
export interface ConfiguredCas {
  readonly readTree: NonNullable<RootFetcherOptions["readTree"]>;
  /** Ends the connection. */
  close(): void;
}

/**
 * The configured CAS; undefined where there is none. Reads certificates,
 * connects when a tree is asked for.
 */
export async function createConfiguredCas({
  cas,
}: RootFetcherConfiguration): Promise<ConfiguredCas | undefined> {
  if (cas === undefined) return undefined;
  const { address, instanceName } = cas;
  const tls = await readTls(cas.tls).catch((error: unknown) => {
    throw wrap(error, `Failed to configure the CAS at "${address}"`);
  });
  const clients = createGrpcCasClients({
    address,
    ...(tls === undefined ? {} : { tls }),
  });
  const storage = new GrpcContentAddressableStorage(clients);
  return {
    readTree: ({ directoryDigest }, signal) =>
      readTreeImage(storage, directoryDigest, {
        context: { instanceName, signal },
      }),
    close: () => clients.close(),
  };
}
