import { tmpdir } from "node:os";
import { createGrpcActionCache } from "../../lib/action-cache/index.js";
import type { ContentAddressableStorage } from "../../lib/cas/index.js";
import {
  type AuthenticatedRecords,
  CasImageKeeper,
  createAuthenticatedRecords,
  createStoredLayerRecords,
} from "../../lib/cas-image/index.js";
import { type ErrorSink, type GrpcTls, readTls } from "../../lib/grpc/index.js";
import {
  createInMemoryLayerRecordCache,
  ImageImporter,
} from "../../lib/image-import/index.js";
import type { ImageSource } from "../../lib/registry/index.js";
import { createImageTrees, type ImageTrees } from "../../lib/route/index.js";
import type {
  InstanceConfiguration,
  RouterConfiguration,
} from "./configuration.js";
import { readKeyFile } from "./key-file.js";
import type { RouterMetrics } from "./router-metrics.js";

/** Records of an instance, and what they hold open. */
export interface ConfiguredRecords {
  readonly records: AuthenticatedRecords;
  close(): void;
}

/** The records that an instance's configuration asks for, if it does. */
export async function createConfiguredRecords(
  { imageRecords, cas }: InstanceConfiguration,
  sink: ErrorSink,
): Promise<ConfiguredRecords | undefined> {
  if (imageRecords === undefined) return undefined;
  const { address = cas.address, tls = cas.tls } = imageRecords;
  const key = await readKeyFile(imageRecords.key);
  const read = await readTls(tls);
  const { actionCache, close } = createGrpcActionCache({
    address,
    ...(read === undefined ? {} : { tls: read }),
  });
  const records = createAuthenticatedRecords({
    actionCache,
    key,
    onError: sink,
  });
  return { records, close };
}

/** Trees of an instance's images in CAS, and what works on them. */
export interface ConfiguredImageTrees {
  readonly trees: ImageTrees;
  close(): Promise<void>;
}

/** The import into an instance's CAS, as the configuration has it. */
export function createConfiguredImageTrees(parts: {
  readonly configuration: RouterConfiguration;
  /** Where CAS is, for the threads of the import. */
  readonly address: { readonly address: string; readonly tls?: GrpcTls };
  readonly cas: ContentAddressableStorage;
  readonly source: ImageSource;
  readonly records: AuthenticatedRecords | undefined;
  readonly metrics: RouterMetrics;
  readonly sink: ErrorSink;
}): ConfiguredImageTrees {
  const { cas, records, metrics } = parts;
  const { imageImport: settings, limits } = parts.configuration;
  const memory = createInMemoryLayerRecordCache(settings.layerCacheSize);
  const importer = new ImageImporter({
    cas: parts.address,
    spoolDirectory: settings.spool ?? tmpdir(),
    maximumDirectoryBytes: settings.directorySize,
    workers: settings.workers,
    records:
      records === undefined
        ? memory
        : createStoredLayerRecords({ cas, records, memory }),
  });
  const keeper = new CasImageKeeper({
    cas,
    confirmedForMs: settings.confirmedFor,
    repairIntervalMs: settings.repairInterval,
    failureLifetimeMs: limits.imageFailureLifetime,
    maximumImages: settings.images,
    onEvent: (event) => metrics.countImage(event),
    onError: parts.sink,
  });
  const { source } = parts;
  return {
    trees: createImageTrees({ cas, keeper, importer, source, records }),
    close: () => importer.stop(),
  };
}
